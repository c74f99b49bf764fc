# Builds data files into the program: one binary, no files at run time.
#
# lazaret_embed(TARGET FUNCTION BASE file...) adds a source to TARGET that defines
#   std::span<const lazaret::EmbeddedFile> lazaret::FUNCTION();
# with the given files (absolute paths), named by their path below BASE, in that order.
#
# The bytes are stored with the halves of each byte exchanged. The data are indicators of malware: stored as they are,
# every scanner, this one included, would find them in the program.

if(CMAKE_SCRIPT_MODE_FILE)
  # cmake -DOUTPUT=... -DFUNCTION=... -DBASE=... -DFILES=a|b|... -P Embed.cmake
  string(REPLACE "|" ";" files "${FILES}")
  set(arrays "")
  set(table "")
  set(index 0)
  foreach(file IN LISTS files)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f])([0-9a-f])" "0x\\2\\1," bytes "${hex}")
    file(RELATIVE_PATH name "${BASE}" "${file}")
    string(APPEND arrays "constexpr std::uint8_t file_${index}[] = {${bytes}0};\n")
    string(APPEND table "    {\"${name}\", {file_${index}, sizeof file_${index} - 1}},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#include "base/embedded.h"

namespace lazaret {
namespace {
@arrays@
constexpr EmbeddedFile files[] = {
@table@};
}  // namespace

std::span<const EmbeddedFile> @FUNCTION@();
std::span<const EmbeddedFile> @FUNCTION@() { return files; }
}  // namespace lazaret
]])
  return()
endif()

set(LAZARET_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(lazaret_embed target function base)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${function}.cc)
  string(REPLACE ";" "|" files "${ARGN}")
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFUNCTION=${function} -DBASE=${base} "-DFILES=${files}"
            -P ${LAZARET_EMBED_SCRIPT}
    DEPENDS ${ARGN} ${LAZARET_EMBED_SCRIPT}
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
