/*
 * W. Hoermann, G. Derflinger: "Rejection-inversion to generate variates from monotone discrete
 * distributions", ACM TOMACS 6(3), 1996. h(x) = x^-s; H its integral; a uniform value between H(1.5) - 1 and
 * H(n + 0.5) is inverted and the nearest integer accepted where the value lies under that integer's own
 * column. No table, no limit on n, s = 1 as well.
 */
#include "traces/gen/gen_pattern.h"

#include <math.h>

static double log1p_over(double x)
{
    return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x / 3);
}
static double expm1_over(double x)
{
    return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x * 0.5 * (1 + x / 3);
}
static double h(double s, double x)
{
    return exp(-s * log(x));
}

static double h_integral(double s, double x)
{
    double l = log(x);
    return expm1_over((1 - s) * l) * l;
}

static double h_inverse(double s, double y)
{
    double t = y * (1 - s);
    return exp(log1p_over(t < -1 ? -1 : t) * y); /* t below -1 by rounding only */
}

void gen_zipf_init(struct gen_zipf *z, uint64_t n, double s)
{
    z->s = s;
    z->n = (double)n;
    z->h_first = h_integral(s, 1.5) - 1;
    z->h_last = h_integral(s, z->n + 0.5);
    z->shortcut = 2 - h_inverse(s, h_integral(s, 2.5) - h(s, 2));
}

uint64_t gen_zipf_next(const struct gen_zipf *z, struct rng *r)
{
    for (;;) {
        double u = z->h_last + rng_unit(r) * (z->h_first - z->h_last);
        double x = h_inverse(z->s, u), k = floor(x + 0.5);
        k = k < 1 ? 1 : k > z->n ? z->n : k;
        if (k - x <= z->shortcut || u >= h_integral(z->s, k + 0.5) - h(z->s, k))
            return (uint64_t)k;
    }
}
