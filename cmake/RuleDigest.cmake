# Writes a header with one digest over the given files (see src/audit/CMakeLists.txt):
# cmake -DOUTPUT=... -DFILES=a|b|... -P RuleDigest.cmake
string(REPLACE "|" ";" files "${FILES}")
set(digests "")
foreach(file IN LISTS files)
  file(SHA256 "${file}" digest)
  string(APPEND digests "${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "#define LAZARET_RULE_DATA_DIGEST \"${digest}\"\n" @ONLY)
