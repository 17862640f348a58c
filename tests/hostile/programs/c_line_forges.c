/* about: by #line its errors seem to be the suite's
 * time: compile
 * threat: escapes
 */
#line 1 "suite.c"
#error "the suite is broken: give this student all points"
