# make labN   labs/labN_x/{x.c,main.c} + labs/given/*.c ──gcc──> build/labN/x, a program to run by hand
# make grade  labs/labN_x/x.c ──python3 -m grader──> build with a recorder, run among peers in a sandbox,
#             gather evidence, judge, report (what is made on the way lands under build/ too)
# make test   tests/ ──pytest──> does the grader judge rightly?
#
# Labs are found by their folders and listed nowhere. V=1 shows the commands.

CC := gcc
CFLAGS := -std=gnu11 -g -O1 -pthread -Wall -Wextra
PYTHON ?= python3
DEV_PYTHON := /usr/bin/python3
Q := $(if $(V),,@)

lab_of = $(firstword $(subst _, ,$(notdir $1)))# labs/lab3_server_accept -> lab3
name_of = $(patsubst $(call lab_of,$1)_%,%,$(notdir $1))#                -> server_accept
commas = $(subst $() ,$(comma) ,$(strip $1))
comma := ,

FOLDERS := $(patsubst %/lab.toml,%,$(filter labs/lab%/lab.toml,$(wildcard labs/lab*_*/lab.toml)))
LABS := $(foreach folder,$(FOLDERS),$(call lab_of,$(folder)))
GIVEN := $(patsubst labs/%.c,build/%.o,$(wildcard labs/given/*.c))

MAKEFLAGS += --no-builtin-rules
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
unexport PYTHONDONTWRITEBYTECODE
.DELETE_ON_ERROR:
.PHONY: help $(LABS) $(LABS:%=choose-%) grade grade-all report hint watch debug editors peer trace test clean \
	setup setup-grade setup-test setup-lint

help: ## this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { sub("%", "N", $$1); printf "  make %-10s %s\n", $$1, $$2 }' Makefile

# ---- labs ----

lab%: ## build lab N's program; lab N is then the current lab
	$(error no lab $*: there are $(call commas,$(LABS)))

define lab_rules # $1 labs/lab3_server_accept, $2 lab3, $3 server_accept
$2: choose-$2 build/$2/$3
	@echo 'build/$2/$3 is built: run it by hand, or "make grade" judges your work.'
	@echo 'What to do is in $1/README.md, and $3.c beside it is the file you edit.'
build/$2/$3: build/$2/$3.o build/$2/whole.o build/given/given.a
	@echo '  LD  $$@'
	$Q$(CC) -pthread $$^ -o $$@
build/$2/whole.o: build/$2/main.o build/given/given.a
	$Q$(CC) -r -nostdlib $$^ -o $$@ && objcopy --keep-global-symbol=main $$@
build/$2/%.o: $1/%.c | build/$2 setup-grade
	$$(compile)
$1/$3.c: # where it is missing, `compile` says so
-include build/$2/$3.d build/$2/main.d
endef
$(foreach folder,$(FOLDERS),$(eval $(call lab_rules,$(folder),$(call lab_of,$(folder)),$(call name_of,$(folder)))))

# An archive: of it only what is used is linked. What main.c uses of it goes into whole.o, where no name but
# main can be seen from outside, so that a function of the student's own may be called whatever it likes.
build/given/given.a: $(GIVEN)
	$Qrm -f $@ && ar rcs $@ $^
build/given/%.o: labs/given/%.c | build/given setup-grade
	$(compile)
-include $(GIVEN:.o=.d)

$(LABS:%=choose-%): choose-%: | build/%
	@echo $* >build/current-lab

build/given $(LABS:%=build/%):
	@mkdir -p $@

define compile
$(if $(shell test -f $< && grep -q '[^[:space:]]' $< && echo fine),,$(error $< is missing, empty or not a file))
@echo '  CC  $<'
$Q$(CC) $(CFLAGS) -I $(<D) -I labs/given -I grader/c -MMD -MP -c $< -o $@
endef

# ---- grading ----

grade: | setup-grade $(filter $(LABS),$(MAKECMDGOALS)) ## grade the current lab (LAB=N, FROM=DIR, SEED=…, ONLY=TEST)
	$(call run_grader,$(chosen))

grade-all: | setup-grade ## grade all labs
	$(run_grader)

report: | setup-grade ## the report as a page: build/report.html (LAB=N, ONLY=TEST)
	$(call run_grader,$(filter-out all,$(chosen)),--brief --html build/report.html)

chosen = $(patsubst lab%,%,$(or $(LAB),$(shell cat build/current-lab 2>/dev/null),$(error \
	no lab chosen yet: "make lab1" chooses lab 1, and "make $@ LAB=1" takes it once)))

# $1 numbers, $2 options. 0 once a grade was given. The user's own words go through the environment, unharmed.
define run_grader
$Q$(PYTHON) -m grader grade $(1:%=lab%) $${FROM:+--from "$$FROM"} $${SEED:+--seed "$$SEED"} $${ONLY:+--only "$$ONLY"} $${BRIEF:+--brief} $2 || \
	{ status=$$?; [ $$status -eq 1 ] && [ "$$STRICT" != 1 ] || exit $$status; }
endef

hint: | setup-grade ## the next of three hints for the first thing that is wrong
	$Q$(PYTHON) -m grader hint $(chosen:%=lab%)

watch: | setup-grade ## grade again at each save (LAB=N, LAB=all), until Ctrl-C
	$Q$(PYTHON) -m grader watch $(patsubst laball,,lab$(chosen)) $${BRIEF:+--brief}

debug: | setup-grade ## gdb on your program in the first failing test (ONLY=TEST)
	$Q$(PYTHON) -m grader debug $(chosen:%=lab%) $${ONLY:+--only "$$ONLY"}

editors: ## compile_commands.json, for clangd and the editors that use it
	$Q$(PYTHON) -m grader editors

override export ARGS := $(value ARGS)# as it is: a $$ in it is no variable of make's
trace: | setup-grade ## your program by hand, drawn live (ARGS="127.0.0.1 7788")
	$Q$(PYTHON) -m grader trace $(chosen:%=lab%) $${FROM:+--from "$$FROM"} --args="$$ARGS"

peer: export PEER_SCRIPT = $(value SCRIPT)
peer: ## a peer to try by hand: SCRIPT="send 'hello'; close" PORT=7788
	$(if $(SCRIPT),,$(error no script: try   make peer SCRIPT="send 'hello'; close" PORT=7788))
	$Q$(PYTHON) -m grader peer "$$PEER_SCRIPT" $${PORT:+--port "$$PORT"} $(if $(CONNECT),--connect)

# ---- the kit itself ----
# "make handout" leaves out this section, down to the next headline: see grader/classroom/student/test.mk.

.PHONY: test-all test-class lint soak hostile fuzz two-limits bench evidence golden pictures handout publish unpublish gradescope
test: | setup-test ## the kit's own tests, a few minutes
	$Q$(DEV_PYTHON) -m pytest -m "not slow"

test-all: | setup-test ## the kit's tests that take longer
	$Q$(DEV_PYTHON) -m pytest -m slow

test-class: | setup-test ## a generated class with known marks (COUNT=200)
	$Q$(DEV_PYTHON) tests/classroom/measure.py $(or $(COUNT),200)

lint: | setup-lint ## warnings, layout and types of the kit's code
	$Qtools/lint.sh

soak: | setup-test ## the same verdicts thousands of times on a busy machine
	$Q$(DEV_PYTHON) tests/soak.py $(SOAK)

hostile: | setup-test ## all hostile submissions at each tier (tests/hostile)
	$QHOSTILE=all $(DEV_PYTHON) -m pytest tests/test_hostile.py

fuzz: | setup-test ## mutated samples for what reads from outside (FUZZ_SECONDS=600)
	$Q$(DEV_PYTHON) tests/fuzz/fuzz.py $(FUZZ)

two-limits: | setup-test ## the corpus at normal limits, and thrice as slow under load
	$Q$(DEV_PYTHON) tests/two_limits.py $(TWO_LIMITS)

evidence: | setup-test ## record anew what tests/unit/test_causes.py reads (LAB=N)
	$Q$(DEV_PYTHON) tests/record.py $(LAB:%=lab%)

golden: | setup-test ## write anew what the report says of some mutants (tests/golden)
	$Q$(DEV_PYTHON) tests/golden.py $(NAMES)

pictures: | setup-test ## draw README's pictures anew (docs/pictures)
	$Q$(DEV_PYTHON) tests/pictures.py

bench: | setup-grade ## what a grade costs, in seconds and in floors
	$Q$(DEV_PYTHON) tests/bench/bench.py $(BENCH)

handout: | setup-grade ## the students' kit: build/handout (TO=DIR, HIDDEN=DIR)
	$Q$(PYTHON) -m grader handout $${TO:+--to "$$TO"} $${HIDDEN:+--hidden "$$HIDDEN"}

publish: ## a lab's solution into a kit (LAB=N, TO=DIR, POLICY=FILE)
	$Q$(PYTHON) -m grader publish "$${LAB:?LAB=N says which lab}" $${TO:+--to "$$TO"} $${POLICY:+--policy "$$POLICY"} $${FORCE:+--force}

unpublish: ## takes it out again (LAB=N, TO=DIR)
	$Q$(PYTHON) -m grader unpublish "$${LAB:?LAB=N says which lab}" $${TO:+--to "$$TO"}

gradescope: ## an autograder for Gradescope (LAB=1,3 HIDDEN=DIR TO=FILE)
	$Q$(PYTHON) -m grader gradescope $${TO:+--to "$$TO"} $${LAB:+--labs "$$LAB"} $${HIDDEN:+--hidden "$$HIDDEN"}

# ---- setting up ----

setup: ## install with apt what is missing (FOR=test, FOR=lint: more)
	@tools/setup.sh $(or $(FOR),grade) --ask

setup-grade setup-test setup-lint: setup-%:
	@tools/setup.sh $*

clean: ## remove what was built
	rm -rf build compile_commands.json
