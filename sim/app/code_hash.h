/*
 * A hash over the sources of all that decides on a result (cmake/code_hash.cmake, sim/app/CMakeLists.txt), 16 hexadecimal digits:
 * another code, other points of a sweep and other checkpoints. Results do not hold it, so that builds can be compared byte by byte.
 */
#ifndef APP_CODE_HASH_H
#define APP_CODE_HASH_H

extern const char code_hash[];

#endif
