/* A gfp mask as Linux 6.18 prints it in its events (show_gfp_flags; linux-mm 14.1): "GFP_KERNEL|__GFP_COMP", "none"; the bits that
 * have no name here as one hexadecimal number. */
#ifndef FRAMES_GFP_TEXT_H
#define FRAMES_GFP_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { GFP_TEXT = 256 }; /* bytes that hold any mask's text */
const char *gfp_text(uint64_t gfp, char buf[GFP_TEXT]);

#endif
