# cmake -DROOT=DIR -DLIST=FILE -DOUT=FILE -P code_hash.cmake: writes a C source with a hash over the contents of the files
# that LIST names, one a line, relative to ROOT. No path, time, compiler or version control is in it: the same sources, the
# same text.
file(STRINGS ${LIST} files)
list(SORT files)
set(all)
foreach(f ${files})
  file(SHA256 ${ROOT}/${f} hash)
  string(APPEND all "${f} ${hash}\n")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUT} "#include \"app/code_hash.h\"\n\nconst char code_hash[] = \"${hash}\";\n")
