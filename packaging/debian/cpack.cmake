# Debian packages of the installed components: packaging/deb, or cpack by hand. What a package needs
# is found by dpkg-shlibdeps; between our own the version is held where one build is assumed.
find_program(DPKG_PROGRAM dpkg)
if(NOT DPKG_PROGRAM)
  return()
endif()

set(debian ${CMAKE_CURRENT_LIST_DIR})
set(CPACK_COMPONENTS_ALL clawmedia agent-host libahp-dev)
if(CLAWMEDIA_IMAGING)
  list(APPEND CPACK_COMPONENTS_ALL clawmedia-imaging)
endif()
if(CLAWMEDIA_PREVIEW)
  list(APPEND CPACK_COMPONENTS_ALL agent-host-preview)
endif()
# The changelog is copied under the name that Debian wants; compress.cmake makes the .gz of it.
configure_file(${debian}/changelog ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.Debian COPYONLY)
foreach(package IN LISTS CPACK_COMPONENTS_ALL)
  install(FILES ${debian}/copyright ${CMAKE_CURRENT_BINARY_DIR}/debian/changelog.Debian
          DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${package} COMPONENT ${package})
endforeach()

# What must be built before cpack runs.
add_custom_target(package_files DEPENDS clawmedia agent-host agent-host-mcp ahp_loader ahp_shim ahp_uv)
if(CLAWMEDIA_IMAGING)
  add_dependencies(package_files clawmedia-imaging)
endif()
if(CLAWMEDIA_PREVIEW)
  add_dependencies(package_files agent-host-preview)
endif()

# deb_describe(PACKAGE section "synopsis" "line"...): the body's lines, without their leading blank.
macro(deb_describe package section synopsis)
  string(TOUPPER ${package} upper)
  set(body "${ARGN}")
  string(REPLACE ";" "\n" body "${body}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${synopsis}\n${body}")
endmacro()

deb_describe(
  clawmedia libs "media tools for agent hosts"
  "A plugin that makes pictures and videos through the services one has"
  "accounts with, and brings the results back to the chat that asked. It"
  "runs on the event loop of its host: agent-host, an MCP client through"
  "agent-host-mcp, or any program that speaks the agent host ABI.")
deb_describe(
  clawmedia-imaging libs "media tools for agent hosts - masks, canvases, previews"
  "The part of the plugin clawmedia that works on pixels, with libvips. The"
  "plugin opens it when it is first needed.")
deb_describe(
  agent-host utils "host for agent plugins on the command line and for MCP clients"
  "agent-host runs the tools of an agent host plugin, such as clawmedia, from"
  "the command line: it calls them, carries on with unfinished jobs and"
  "delivers results. agent-host-mcp serves the same tools over the Model"
  "Context Protocol.")
deb_describe(
  agent-host-preview utils "host for agent plugins - previews of pictures on the terminal"
  "agent-host shows small previews of finished pictures on terminals that can"
  "where this program is installed. It draws them with libvips and libchafa.")
deb_describe(
  libahp-dev libdevel "agent host plugin ABI - headers and static libraries"
  "Headers for hosts and plugins, a loader of plugins, a shim that checks"
  "every call between the two sides, and the host side on a libuv loop.")

set(CPACK_DEBIAN_CLAWMEDIA_PACKAGE_RECOMMENDS "clawmedia-imaging, ca-certificates")
set(CPACK_DEBIAN_CLAWMEDIA_PACKAGE_SUGGESTS "agent-host")
set(CPACK_DEBIAN_AGENT-HOST_PACKAGE_RECOMMENDS "clawmedia, agent-host-preview")
set(CPACK_DEBIAN_LIBAHP-DEV_PACKAGE_DEPENDS "libltdl-dev, libuv1-dev")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "clawmedia maintainers <maintainers@clawmedia.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_CLAWMEDIA-IMAGING_PACKAGE_DEPENDS
    "clawmedia (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_AGENT-HOST-PREVIEW_PACKAGE_DEPENDS
    "agent-host (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/compress.cmake)
include(CPack)
