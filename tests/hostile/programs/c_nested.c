/* about: a hundred thousand brackets within each other
 * time: compile
 * threat: compiler
 */
#define A(x) ((((((((((x))))))))))
#define B(x) A(A(A(A(A(A(A(A(A(A(x))))))))))
#define C(x) B(B(B(B(B(B(B(B(B(B(x))))))))))
#define D(x) C(C(C(C(C(C(C(C(C(C(x))))))))))
#define F(x) D(D(D(D(D(D(D(D(D(D(x))))))))))
int deep = F(1);
@RIGHT@
