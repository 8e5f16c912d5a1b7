mmulab_check(test_frames_fast DEPS frames)
