/** The terminal. */
#include "coordinator/cli/screen.h"

#include <stdio.h>
#include <sys/ioctl.h>

#include "shared/base/own.h"
#include "shared/base/utf8.h"

enum { CT_BAR_WIDTH = 30 /* characters */, CT_ROWS_FALLBACK = 24, CT_COLUMNS_FALLBACK = 80 };

void ct_screen_begin(struct ct_screen *screen, int color)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool is_dumb = term == NULL || strcmp(term, "dumb") == 0;
    *screen = (struct ct_screen){ .is_live = isatty(STDOUT_FILENO) && !is_dumb,
                                  .has_errors_live = isatty(STDERR_FILENO) && !is_dumb };
    bool wants = color == CT_COLOR_ALWAYS || (color == CT_COLOR_AUTO && screen->is_live && !(no_color && no_color[0]));
    screen->has_colours = wants;
}

static struct winsize ct_screen_size(void)
{
    struct winsize size = { 0 };
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = CT_ROWS_FALLBACK, .ws_col = CT_COLUMNS_FALLBACK };
    return size;
}

struct ct_table_style ct_screen_style(const struct ct_screen *screen)
{
    return (struct ct_table_style){ .has_colours = screen->has_colours,
                                    .has_header = true,
                                    .width = screen->is_live ? ct_screen_size().ws_col : 0 };
}

bool ct_screen_print(struct kd_str text)
{
    bool done = text.n == 0 || fwrite(text.p, 1, text.n, stdout) == text.n;
    return fflush(stdout) == 0 && done;
}

/** Adds as much of a line as fits: a line that wraps could not be drawn over. Escape sequences take no room. */
static void ct_add_fitting(struct kd_buf *out, struct kd_str line, size_t width)
{
    size_t used = 0, i = 0;
    while (i < line.n) {
        size_t n = 1;
        if (line.p[i] == '\033') {
            while (i + n < line.n && line.p[i + n - 1] != 'm')
                n++;
        } else {
            while (i + n < line.n && ((unsigned char)line.p[i + n] & 0xC0) == 0x80)
                n++;
            if (++used > width)
                break;
        }
        kd_buf_add(out, (struct kd_str){ line.p + i, n });
        i += n;
    }
    if (i < line.n)
        kd_buf_add(out, KD_STR("\033[0m"));
}

void ct_screen_draw(struct ct_screen *screen, struct kd_str text)
{
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1 << 20);
    struct winsize size = ct_screen_size();
    if (screen->drawn)
        kd_buf_printf(&out, "\033[%zuA", screen->drawn);
    kd_buf_add(&out, KD_STR("\033[J"));
    screen->drawn = 0;
    while (text.n && screen->drawn + 2 < size.ws_row) {
        ct_add_fitting(&out, kd_str_cut(&text, '\n'), size.ws_col);
        kd_buf_add_char(&out, '\n');
        screen->drawn++;
    }
    if (text.n) {
        kd_buf_add(&out, KD_STR("…\n"));
        screen->drawn++;
    }
    (void)ct_screen_print(kd_buf_str(&out));
}

void ct_screen_progress(struct ct_screen *screen, const char *label, uint64_t done, uint64_t total)
{
    char bar[CT_BAR_WIDTH + 1];
    if (!screen->has_errors_live || total == 0)
        return;
    size_t full = (size_t)(done * CT_BAR_WIDTH / total);
    for (size_t i = 0; i < CT_BAR_WIDTH; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[CT_BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "\r%s [%s] %3llu %%", label, bar, (unsigned long long)(done * 100 / total));
    if (done >= total)
        (void)fprintf(stderr, "\r\033[K");
    (void)fflush(stderr);
    screen->has_bar = done < total;
}
