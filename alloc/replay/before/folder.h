/* The folder of a recording, as `mmulab record --kernel` lays it out (docs/kernel-recording.md). */
#ifndef REPLAY_FOLDER_H
#define REPLAY_FOLDER_H

/* Its file of events: FOLDER/FOLDER.perf.zst, else the first by name that looks like one. To be freed; NULL: none. */
char *recording_events(const char *folder);

#endif
