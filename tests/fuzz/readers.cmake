foreach(form lackey champsim din pin maps)
  mmulab_fuzz(fuzz_${form} DEPS traces)
endforeach()
