/*
 * How the library that --malloc loads into a program tells the plugin of an allocation: by a system call that no kernel has
 * (it answers ENOSYS), with enum trace_kind, the record's address, its size field and two payload words as arguments.
 */
#ifndef TRACES_RECORDER_MAGIC_H
#define TRACES_RECORDER_MAGIC_H

#define RECORD_MAGIC_CALL 0x6d6d75
/* In place of a kind: nothing is told, the thread waits until the word at the first argument is not the second one (the
 * third: its bytes); after a second it is set to 0. */
#define RECORD_MAGIC_AWAIT 0

#endif
