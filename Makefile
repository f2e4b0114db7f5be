# Short names for what is done often; CONTRIBUTING.md says what each is for. The
# Makefiles that cmake makes stay in its own folder, build.
MAKEFLAGS += --no-print-directory
.PHONY: all test unit spec lint
.DEFAULT_GOAL := $(if $(spec),spec,all)

all:
	cmake -S . -B build
	cmake --build build --parallel
test:
	tools/test
unit: all
	tools/unit build
spec:
	tools/test $(spec:%=spec/%_spec.lua)
lint: all
	tools/lint build
