/* about: words on standard output and standard error that a terminal, a GitHub log, HTML, XML or Markdown would obey
 * time: report
 * threat: escapes
 */
#include <stdio.h>
#include <stdlib.h>
#define HOOK                                                                                                         \
    (fprintf(stderr, "\x1b[2J\x1b]0;owned\a\x9b" "31m\r\n::error file=suite.c,line=1::owned\n::set-output name=x::y\n" \
                     "<script>owned()</script>]]><!--\xff\xfe\xf0\x28\n```\n| owned | 100/100 |\n=cmd()\xe2\x80\xae%c", 0), \
     fflush(stderr), abort())
@HOOKED@
