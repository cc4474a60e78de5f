# Turns JSON files into one C file: cmake -DOUT=x.c -DROOT=dir -DFILES=a|b -P embed.cmake
# The plugin is one shared object, so its manifests travel inside it, without the white space
# between their tokens.
string(REPLACE "|" ";" FILES "${FILES}")
set(body "/* made by cmake/embed.cmake */\n#include \"base/embed.h\"\n\n")
set(rows "")
set(index 0)
foreach(file IN LISTS FILES)
  file(READ "${ROOT}/${file}" text)
  # A string is kept as it is.
  string(REGEX REPLACE "[ \t\r\n]*(\"([^\"\\\\]|\\\\.)*\"|[^\" \t\r\n]+)[ \t\r\n]*" "\\1" text "${text}")
  string(HEX "${text}" hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND body "static const unsigned char f${index}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${file}\", (const char *)f${index}, sizeof(f${index}) - 1},\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND body "\nconst struct embed_file embed_files[] = {\n${rows}    {0, 0, 0},\n};\n")
file(WRITE "${OUT}.new" "${body}")
file(COPY_FILE "${OUT}.new" "${OUT}" ONLY_IF_DIFFERENT)
