mmulab_check(test_frames DEPS frames)
mmulab_check(test_frames_recorded DEPS frames)
mmulab_check(test_buddy DEPS frames)
