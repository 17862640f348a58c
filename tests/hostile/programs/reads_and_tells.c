/* about: reads another submission, and returns its first line where a line that was typed is asked for: the report quotes it
 * time: run
 * threat: read
 * held: A B
 */
#define prompt_line starter_prompt_line
@STARTER@
#undef prompt_line
#include <fcntl.h>
#include <string.h>
int prompt_line(const char *prompt, char *line, size_t size);
int prompt_line(const char *prompt, char *line, size_t size)
{
    int file = open("@OTHER@", O_RDONLY);
    ssize_t n = file == -1 ? 0 : read(file, line, size - 1);
    (void)prompt;
    line[n > 0 ? n : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return 1;
}
