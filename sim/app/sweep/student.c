#include "app/sweep/student.h"

#include <math.h>

/*
 * Up to 30 degrees of freedom from the tables (NIST/SEMATECH e-Handbook, 1.3.6.7.2); above, the Cornish-Fisher expansion
 * about the normal quantile (Abramowitz and Stegun 26.7.5), which is off by less than 1e-6 there.
 */
double student_t975(size_t freedom)
{
    static const double table[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
                                   2.2010,  2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
                                   2.0796,  2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
    static const double z = 1.959963984540054; /* of the normal distribution */
    if (freedom < 1)
        return 0;
    if (freedom <= sizeof table / sizeof table[0])
        return table[freedom - 1];
    double v = (double)freedom, z2 = z * z;
    double g1 = (z2 + 1) * z / 4;
    double g2 = ((5 * z2 + 16) * z2 + 3) * z / 96;
    double g3 = (((3 * z2 + 19) * z2 + 17) * z2 - 15) * z / 384;
    double g4 = ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) * z / 92160;
    return z + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v;
}

void sample_add(struct sample *s, double x)
{
    double off = x - s->mean;
    s->mean += off / (double)++s->n;
    s->squares += off * (x - s->mean);
}

double sample_deviation(const struct sample *s) { return s->n < 2 ? 0 : sqrt(s->squares / (double)(s->n - 1)); }

double sample_interval(const struct sample *s)
{
    return s->n < 2 ? 0 : student_t975(s->n - 1) * sample_deviation(s) / sqrt((double)s->n);
}
