/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher: a process that reads what a scope's cgroup has counted before systemd removes it, where no other
 * process of tare's lives as long as the container. Private to the room.
 */
#ifndef TARE_RUN_WATCH_H
#define TARE_RUN_WATCH_H

#include <tare/base.h>

struct parent;

/*
 * The step PLAN_UNIT_WATCH: starts the program of watch_main.c from a sealed memfd. It stays in the caller's
 * cgroup, in a session of its own, and ends with the container, however that ends. Runs in the parent, which
 * does not wait for it.
 */
int watch_start(const struct parent *parent, struct err *err) MUST_CHECK;

#endif
