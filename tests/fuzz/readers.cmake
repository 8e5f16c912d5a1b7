foreach(form lackey champsim din pin maps drmemtrace gem5 ramulator dramsim3 qtrace)
  mmulab_fuzz(fuzz_${form} DEPS traces)
endforeach()
