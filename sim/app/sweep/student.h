/* Student's t: half the width of the 95 % interval of a mean, in standard errors. */
#ifndef APP_SWEEP_STUDENT_H
#define APP_SWEEP_STUDENT_H

#include <stddef.h>

/* The 97.5 % point for `freedom` degrees of freedom (at least 1), exact to the four digits of the usual tables. */
double student_t975(size_t freedom);

struct sample { /* running mean and sum of squares (Welford, Technometrics 4(3), 1962) */
    size_t n;
    double mean, squares;
};
void sample_add(struct sample *s, double x);
double sample_deviation(const struct sample *s); /* of the sample, n - 1; 0 for n < 2 */
double sample_interval(const struct sample *s);  /* half width of the 95 % interval of the mean; 0 for n < 2 */

#endif
