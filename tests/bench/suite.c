/* The floor's suite: it has one test, and the test does nothing. */
#include <criterion/criterion.h>

Test(floor, nothing)
{
}
