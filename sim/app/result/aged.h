/* The line "aged" of events.jsonl: with which recipe memory was aged before the run, and every measure of what came of it. */
#ifndef APP_RESULT_AGED_H
#define APP_RESULT_AGED_H

#include "app/result/json/json_out.h"
#include "frames/ageing/ageing.h"

void aged_write(struct json_out *j, const struct ageing_report *r);

#endif
