# cmake -DNPM=npm -DDIR=folder -P install.cmake: brings what folder/package-lock.json names, unless it
# is there already; the host is large.
file(SHA256 ${DIR}/package-lock.json wanted)
if(EXISTS ${DIR}/installed)
  file(READ ${DIR}/installed is)
endif()
if("${is}" STREQUAL "${wanted}")
  return()
endif()
execute_process(COMMAND ${NPM} ci --no-audit --no-fund --ignore-scripts --prefer-offline
                WORKING_DIRECTORY ${DIR} RESULT_VARIABLE rc)
if(NOT rc STREQUAL "0")
  message(FATAL_ERROR "npm ci: ${rc}")
endif()
file(WRITE ${DIR}/installed "${wanted}")
