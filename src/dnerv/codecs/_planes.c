/* Planes of YCbCr to planes of RGB, and blends of bytes: the same values to the bit as swscale and NumPy give.
 *
 *   chroma row [w] ── padded ── wider [2w], kept for 4 rows ─┐
 *                                                            ├─ taller ── matrix ── 8 bits ── 3 rows of RGB
 *   luma row [2w] ───────────────────────────────────────────┘
 *
 * Optional: without it `colour` asks swscale and `blending` NumPy. What the numbers mean is written down in
 * `colour_tables`, which also makes the tables of weights; the same steps in torch are in `colour_on_device`.
 *
 * - Loops are plain and over whole rows, so that a compiler makes vectors of them. Where it can, gcc compiles them twice
 *   and chooses by the processor: one build is good for all. The one that takes the most time is also written out for
 *   AVX2, where it is twice as fast.
 * - Sums wrap, as swscale's do: they are of unsigned integers, read back as signed ones.
 * - Every buffer is measured before it is touched: a damaged file cannot make this read or write beside one.
 * - The interpreter's lock is let go of in between; the stable interface of Python 3.11 is all that is used.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "floats have to be rounded at every step: use NumPy"
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define MAY_HAVE_AVX2
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

enum {
    TAPS = 4,
    ROWS_KEPT = 4,
    LARGEST_SIDE = 1 << 16, /* pixels */
    LARGEST_CHROMA = (1 << 15) - 1,
    CHROMA_ZERO = (128 << 19) - 512,
    CHROMA_SHIFT = 10,
    COLOUR_SHIFT = 22,
};

typedef struct {
    int32_t gain, black, red_v, blue_u, green_u, green_v;
} Coefficients;

typedef struct {
    const uint8_t *planes[3]; /* luma, blue, red */
    Py_ssize_t lines[3];      /* bytes from one row to the next */
    Py_ssize_t height, width; /* of luma; even */
    int depth;                /* bits of a sample: 8, or up to 16 in two bytes */
    const int32_t *row_weights, *column_weights; /* [2, 4, width / 2] and [2, 4, height / 2] */
    Coefficients coefficients;
    uint8_t *out; /* [3, out_height, out_width] */
    Py_ssize_t out_height, out_width;
} Picture;

/* `count` samples of 8 bits or more as 16. */
static void take_row(const uint8_t *from, int depth, Py_ssize_t count, uint16_t *row)
{
    if (depth > 8) {
        memcpy(row, from, (size_t)count * 2);
        return;
    }
    for (Py_ssize_t x = 0; x < count; x++)
        row[x] = from[x];
}

/* `padded`: [count + 4], two samples repeated on each side. -> `wider` [2 count]. */
FOR_EVERY_PROCESSOR
static void make_wider(const uint16_t *restrict padded, const int32_t *restrict weights, Py_ssize_t count, int shift,
                       int16_t *restrict wider)
{
    const int32_t *even = weights, *odd = weights + TAPS * count;
    for (Py_ssize_t x = 0; x < count; x++) {
        uint32_t sums[2] = {0, 0};
        for (int tap = 0; tap < TAPS; tap++) {
            sums[0] += (uint32_t)padded[x + tap] * (uint32_t)even[tap * count + x];
            sums[1] += (uint32_t)padded[x + tap + 1] * (uint32_t)odd[tap * count + x];
        }
        for (int phase = 0; phase < 2; phase++) {
            int32_t value = (int32_t)sums[phase] >> shift;
            wider[2 * x + phase] = (int16_t)(value < LARGEST_CHROMA ? value : LARGEST_CHROMA);
        }
    }
}

/* `u`, `v`: the four rows around, `weights` of them. -> a row of each colour from pixel `x` on, to [width]. */
FOR_EVERY_PROCESSOR
static void make_colours(Py_ssize_t x, const uint16_t *restrict luma, const int16_t *const u[TAPS], const int16_t *const v[TAPS],
                         const int32_t weights[TAPS], const Coefficients *c, int depth, Py_ssize_t width,
                         uint8_t *restrict red, uint8_t *restrict green, uint8_t *restrict blue)
{
    const int16_t *restrict u0 = u[0], *restrict u1 = u[1], *restrict u2 = u[2], *restrict u3 = u[3];
    const int16_t *restrict v0 = v[0], *restrict v1 = v[1], *restrict v2 = v[2], *restrict v3 = v[3];
    const uint32_t w0 = (uint32_t)weights[0], w1 = (uint32_t)weights[1];
    const uint32_t w2 = (uint32_t)weights[2], w3 = (uint32_t)weights[3];
    const uint32_t gain = (uint32_t)c->gain, red_v = (uint32_t)c->red_v, blue_u = (uint32_t)c->blue_u;
    const uint32_t green_u = (uint32_t)c->green_u, green_v = (uint32_t)c->green_v;
    const uint32_t start = (1u << (COLOUR_SHIFT - 1)) - (uint32_t)c->black * gain;
    const int up = 17 - depth;
#define SIGNED(value) ((uint32_t)(int32_t)(value))
#define AROUND_ZERO(r0, r1, r2, r3)                                                                                    \
    SIGNED((int32_t)(SIGNED(r0) * w0 + SIGNED(r1) * w1 + SIGNED(r2) * w2 + SIGNED(r3) * w3 - (uint32_t)CHROMA_ZERO) >> \
           CHROMA_SHIFT)
    for (; x < width; x++) {
        uint32_t blueness = AROUND_ZERO(u0[x], u1[x], u2[x], u3[x]);
        uint32_t redness = AROUND_ZERO(v0[x], v1[x], v2[x], v3[x]);
        uint32_t y = ((uint32_t)luma[x] << up) * gain + start;
        int32_t r = (int32_t)(y + redness * red_v) >> COLOUR_SHIFT;
        int32_t g = (int32_t)(y + redness * green_v + blueness * green_u) >> COLOUR_SHIFT;
        int32_t b = (int32_t)(y + blueness * blue_u) >> COLOUR_SHIFT;
        red[x] = (uint8_t)(r < 0 ? 0 : r > 255 ? 255 : r);
        green[x] = (uint8_t)(g < 0 ? 0 : g > 255 ? 255 : g);
        blue[x] = (uint8_t)(b < 0 ? 0 : b > 255 ? 255 : b);
    }
}

#ifdef MAY_HAVE_AVX2
#define AVX2 __attribute__((target("avx2")))

static inline int32_t pair_of(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)low & 0xffff) | (uint32_t)high << 16);
}

/* 16 samples of chroma around 0: the first and third four in `low`, the others in `high`, as unpacking gives them. */
AVX2 static inline void taller_avx2(const int16_t *const rows[TAPS], __m256i upper, __m256i lower, Py_ssize_t x,
                                    __m256i *low, __m256i *high)
{
    const __m256i zero = _mm256_set1_epi32(CHROMA_ZERO);
    __m256i r[TAPS];
    for (int tap = 0; tap < TAPS; tap++)
        r[tap] = _mm256_loadu_si256((const __m256i *)(rows[tap] + x));
    *low = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpacklo_epi16(r[0], r[1]), upper),
                            _mm256_madd_epi16(_mm256_unpacklo_epi16(r[2], r[3]), lower));
    *high = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpackhi_epi16(r[0], r[1]), upper),
                             _mm256_madd_epi16(_mm256_unpackhi_epi16(r[2], r[3]), lower));
    *low = _mm256_srai_epi32(_mm256_sub_epi32(*low, zero), CHROMA_SHIFT);
    *high = _mm256_srai_epi32(_mm256_sub_epi32(*high, zero), CHROMA_SHIFT);
}

/* Sums of a colour as 16 bytes; packing is what cuts them to 0 and 255. */
AVX2 static inline void store_avx2(__m256i low, __m256i high, uint8_t *out)
{
    __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(low, COLOUR_SHIFT), _mm256_srai_epi32(high, COLOUR_SHIFT));
    __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0x08);
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(bytes));
}

/* As `make_colours`, as many pixels as make whole vectors; returns how many. */
AVX2 static Py_ssize_t make_colours_avx2(const uint16_t *luma, const int16_t *const u[TAPS], const int16_t *const v[TAPS],
                                         const int32_t weights[TAPS], const Coefficients *c, int depth,
                                         Py_ssize_t width, uint8_t *red, uint8_t *green, uint8_t *blue)
{
    const __m256i upper = _mm256_set1_epi32(pair_of(weights[0], weights[1]));
    const __m256i lower = _mm256_set1_epi32(pair_of(weights[2], weights[3]));
    const __m256i gain = _mm256_set1_epi32((int32_t)((uint32_t)c->gain << (17 - depth)));
    const uint32_t from = (1u << (COLOUR_SHIFT - 1)) - (uint32_t)c->black * (uint32_t)c->gain;
    const __m256i start = _mm256_set1_epi32((int32_t)from), none = _mm256_setzero_si256();
    const __m256i red_v = _mm256_set1_epi32(c->red_v), green_v = _mm256_set1_epi32(c->green_v);
    const __m256i green_u = _mm256_set1_epi32(c->green_u), blue_u = _mm256_set1_epi32(c->blue_u);
    Py_ssize_t x = 0;
    for (; x + 16 <= width; x += 16) {
        __m256i y[2], b[2], r[2], colour[3][2];
        taller_avx2(u, upper, lower, x, &b[0], &b[1]);
        taller_avx2(v, upper, lower, x, &r[0], &r[1]);
        const __m256i samples = _mm256_loadu_si256((const __m256i *)(luma + x));
        y[0] = _mm256_unpacklo_epi16(samples, none), y[1] = _mm256_unpackhi_epi16(samples, none);
        for (int half = 0; half < 2; half++) {
            const __m256i grey = _mm256_add_epi32(_mm256_mullo_epi32(y[half], gain), start);
            const __m256i less = _mm256_add_epi32(_mm256_mullo_epi32(r[half], green_v),
                                                  _mm256_mullo_epi32(b[half], green_u));
            colour[0][half] = _mm256_add_epi32(grey, _mm256_mullo_epi32(r[half], red_v));
            colour[1][half] = _mm256_add_epi32(grey, less);
            colour[2][half] = _mm256_add_epi32(grey, _mm256_mullo_epi32(b[half], blue_u));
        }
        store_avx2(colour[0][0], colour[0][1], red + x);
        store_avx2(colour[1][0], colour[1][1], green + x);
        store_avx2(colour[2][0], colour[2][1], blue + x);
    }
    return x;
}
#endif

static void widen_row(const Picture *p, int plane, Py_ssize_t row, uint16_t *padded, int16_t *wider)
{
    Py_ssize_t count = p->width / 2;
    take_row(p->planes[plane] + row * p->lines[plane], p->depth, count, padded + 2);
    padded[0] = padded[1] = padded[2];
    padded[count + 2] = padded[count + 3] = padded[count + 1];
    make_wider(padded, p->row_weights, count, p->depth - 1, wider);
}

/* Whether there was memory. */
static int convert(const Picture *p)
{
    const Py_ssize_t width = p->width, rows = p->height / 2;
    uint16_t *luma = malloc(sizeof(uint16_t) * (size_t)(2 * width + 4 + 2 * ROWS_KEPT * width));
    if (!luma)
        return 0;
    uint16_t *padded = luma + width;
    int16_t *kept[2] = {(int16_t *)(padded + width + 4), (int16_t *)(padded + width + 4) + ROWS_KEPT * width};
    Py_ssize_t made = 0; /* chroma rows */
#ifdef MAY_HAVE_AVX2
    const int has_avx2 = __builtin_cpu_supports("avx2");
#endif
    uint8_t *red = p->out, *green = red + p->out_height * p->out_width, *blue = green + p->out_height * p->out_width;
    for (Py_ssize_t y = 0; y < p->out_height; y++) {
        const Py_ssize_t place = y / 2, phase = y % 2, first = place + phase - 2;
        for (; made < rows && made < first + TAPS; made++)
            for (int plane = 0; plane < 2; plane++)
                widen_row(p, plane + 1, made, padded, kept[plane] + made % ROWS_KEPT * width);
        const int16_t *around[2][TAPS];
        int32_t weights[TAPS];
        for (int tap = 0; tap < TAPS; tap++) {
            Py_ssize_t row = first + tap;
            row = row < 0 ? 0 : row >= rows ? rows - 1 : row;
            for (int plane = 0; plane < 2; plane++)
                around[plane][tap] = kept[plane] + row % ROWS_KEPT * width;
            weights[tap] = p->column_weights[(phase * TAPS + tap) * rows + place];
        }
        take_row(p->planes[0] + y * p->lines[0], p->depth, p->out_width, luma);
        Py_ssize_t x = 0;
#ifdef MAY_HAVE_AVX2
        if (has_avx2)
            x = make_colours_avx2(luma, around[0], around[1], weights, &p->coefficients, p->depth, p->out_width, red,
                                  green, blue);
#endif
        make_colours(x, luma, around[0], around[1], weights, &p->coefficients, p->depth, p->out_width, red, green, blue);
        red += p->out_width, green += p->out_width, blue += p->out_width;
    }
    free(luma);
    return 1;
}

/* Whether `buffer` has `rows` rows of `count` samples, `line` bytes from one to the next. */
static int has_rows(const Py_buffer *buffer, Py_ssize_t line, Py_ssize_t rows, Py_ssize_t count, int depth)
{
    const Py_ssize_t bytes = count * (depth > 8 ? 2 : 1);
    return line >= bytes && buffer->len >= bytes && (buffer->len - bytes) / line >= rows - 1;
}

static const char *what_is_wrong(const Picture *p, const Py_buffer planes[3], const Py_buffer *row_weights,
                                 const Py_buffer *column_weights, const Py_buffer *coefficients, const Py_buffer *out)
{
    const Py_ssize_t weight = 2 * TAPS * (Py_ssize_t)sizeof(int32_t);
    if (p->depth < 8 || p->depth > 16)
        return "samples have 8 to 16 bits";
    if (p->height < 8 || p->width < 8 || p->height > LARGEST_SIDE || p->width > LARGEST_SIDE)
        return "a picture is of 8 to 65536 pixels each way";
    if (p->height % 2 || p->width % 2)
        return "a picture's height and width are even";
    if (p->out_height < 1 || p->out_width < 1 || p->out_height > p->height || p->out_width > p->width)
        return "what is cut out of a picture lies in it";
    for (int plane = 0; plane < 3; plane++) {
        const int part = plane ? 2 : 1;
        if (!has_rows(&planes[plane], p->lines[plane], p->height / part, p->width / part, p->depth))
            return "a plane is shorter than its rows";
    }
    if (row_weights->len != p->width / 2 * weight || column_weights->len != p->height / 2 * weight)
        return "there are eight weights for every sample of a row, and of a column, of chroma";
    if (coefficients->len != sizeof(Coefficients))
        return "there are six coefficients";
    if ((uintptr_t)row_weights->buf % sizeof(int32_t) || (uintptr_t)column_weights->buf % sizeof(int32_t))
        return "weights are aligned";
    if (out->len / 3 / p->out_width != p->out_height || out->len != 3 * p->out_height * p->out_width)
        return "three planes of the size that is cut out have room in `out`, and nothing else";
    return NULL;
}

static PyObject *to_rgb(PyObject *module, PyObject *arguments)
{
    (void)module;
    Picture p;
    Py_buffer planes[3], row_weights, column_weights, coefficients, out;
    int made = 1;
    if (!PyArg_ParseTuple(arguments, "(y*y*y*)(nnn)(nn)iy*y*y*w*(nn):to_rgb", &planes[0], &planes[1], &planes[2],
                          &p.lines[0], &p.lines[1], &p.lines[2], &p.height, &p.width, &p.depth, &row_weights,
                          &column_weights, &coefficients, &out, &p.out_height, &p.out_width))
        return NULL;
    const char *wrong = what_is_wrong(&p, planes, &row_weights, &column_weights, &coefficients, &out);
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, wrong);
    } else {
        for (int plane = 0; plane < 3; plane++)
            p.planes[plane] = planes[plane].buf;
        p.row_weights = row_weights.buf, p.column_weights = column_weights.buf, p.out = out.buf;
        memcpy(&p.coefficients, coefficients.buf, sizeof(Coefficients));
        Py_BEGIN_ALLOW_THREADS
        made = convert(&p);
        Py_END_ALLOW_THREADS
        if (!made)
            PyErr_NoMemory();
    }
    for (int plane = 0; plane < 3; plane++)
        PyBuffer_Release(&planes[plane]);
    PyBuffer_Release(&row_weights), PyBuffer_Release(&column_weights), PyBuffer_Release(&coefficients);
    PyBuffer_Release(&out);
    if (wrong || !made)
        return NULL;
    Py_RETURN_NONE;
}

FOR_EVERY_PROCESSOR
static void mix(const uint8_t *restrict first, const uint8_t *restrict second, float share, Py_ssize_t count,
                uint8_t *restrict out)
{
    const float rest = 1.0f - share, rounder = 12582912.0f; /* 1.5 * 2^23: sums with it have no fraction */
    for (Py_ssize_t at = 0; at < count; at++) {
        float mixed = rest * (float)first[at] + share * (float)second[at];
        out[at] = (uint8_t)(int32_t)((mixed + rounder) - rounder);
    }
}

static PyObject *blend(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer first, second, shares, out;
    const char *wrong = NULL;
    if (!PyArg_ParseTuple(arguments, "y*y*y*w*:blend", &first, &second, &shares, &out))
        return NULL;
    const Py_ssize_t count = first.len, blends = shares.len / (Py_ssize_t)sizeof(float);
    if (second.len != count || shares.len % (Py_ssize_t)sizeof(float))
        wrong = "two pictures of one size are mixed, by shares of float32";
    else if (count ? out.len % count || out.len / count != blends : out.len != 0)
        wrong = "as many pictures as there are shares have room in `out`, and nothing else";
    for (Py_ssize_t place = 0; !wrong && place < blends; place++) {
        float share;
        memcpy(&share, (const char *)shares.buf + place * (Py_ssize_t)sizeof(float), sizeof(float));
        if (!(share >= 0 && share <= 1))
            wrong = "shares are between 0 and 1";
    }
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, wrong);
    } else {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t place = 0; place < blends; place++) {
            float share;
            memcpy(&share, (const char *)shares.buf + place * (Py_ssize_t)sizeof(float), sizeof(float));
            mix(first.buf, second.buf, share, count, (uint8_t *)out.buf + place * count);
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&first), PyBuffer_Release(&second), PyBuffer_Release(&shares), PyBuffer_Release(&out);
    if (wrong)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"to_rgb", to_rgb, METH_VARARGS, "4:2:0 planes -> planes of red, green and blue."},
    {"blend", blend, METH_VARARGS, "Blends of two pictures."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_planes", "Planes to RGB, and blends of them, compiled.", 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__planes(void)
{
    return PyModuleDef_Init(&definition);
}
