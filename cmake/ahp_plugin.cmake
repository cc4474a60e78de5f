# ahp_add_plugin(TARGET source...): a plugin of the agent host ABI.
#
# A module without the "lib" prefix that exports ahp_entry_1 only, that may leave no symbol open
# (-z defs) and binds all of them when it is loaded (-z now). With sanitizers the first of the two
# must go: their runtime lives in the host's program.
set(AHP_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/ahp-plugin.map)

function(ahp_add_plugin target)
  add_library(${target} MODULE ${ARGN})
  set_target_properties(
    ${target} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden LINK_DEPENDS ${AHP_PLUGIN_MAP})
  target_link_libraries(${target} PRIVATE ahp::ahp)
  target_link_options(${target} PRIVATE -Wl,--version-script=${AHP_PLUGIN_MAP} -Wl,-z,now)
  if(NOT CLAWMEDIA_SANITIZE AND NOT CLAWMEDIA_FUZZ)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
