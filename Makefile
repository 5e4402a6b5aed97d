# make run      build and serve on http://127.0.0.1:8080
# make test     everything there is to pass: format, lints, tests
# make release  the binary, at target/release/vestibule

.PHONY: help run test release

help:
	@sed -n 's/^# //p' Makefile

run:
	cargo run --release --quiet -- serve

test:
	tests/run.sh

release:
	cargo build --release --locked
	@ls -l target/release/vestibule
