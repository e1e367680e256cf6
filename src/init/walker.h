/* SPDX-License-Identifier: Apache-2.0 */
/* What init and the bridge share while they walk the plan. Private to the room; [free]. */
#ifndef TARE_INIT_WALKER_H
#define TARE_INIT_WALKER_H

#include <tare/plan.h>
#include <tare/sys.h>

struct walker;
typedef int (*walk_step)(struct walker *walker, const struct plan_step *step, struct err *err);

struct walker {
	const struct plan *plan;
	enum plan_actor actor;
	uint32_t at;                      /* index of the step that is being carried out */
	int first_fd;                     /* as in init.h */
	int socket_fd;                    /* to the peer that receives errors: the parent, later the starter */
	const struct plan_filter *filter; /* the installed seccomp filter, which can deny any call; or NULL */
	bool may_fake_success;            /* the filter can make a call return success without an effect */
	int console_fd;                   /* master of the console until the parent has it; or -1 */
	uint32_t joined;                  /* bit n: an earlier, tentative step has entered namespace number n */
	struct rootfs rootfs;
	struct exec_program program;
	walk_step creation_step; /* the steps that an exec does not have; NULL for an exec */
	char **pointers;         /* memory for the program's argv and environment */
};

/* Carries out a step of the bridge. After PLAN_SPAWN it returns in init only; the bridge exits. */
int bridge_step(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;
int init_step(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;

/* The whole program, for freestanding_main. */
__attribute__((noreturn)) void init_walk(int argc, char **argv, walk_step creation_step);
/* Closes the descriptors first to last (-1: all), also if a seccomp filter denies close_range(2). */
void init_close_range(const struct walker *walker, int first, int last);

/* Fills *ret, which the caller provides, with the program's environment in the form of execve(2). */
void init_caller_environment(struct walker *walker, const struct plan_program *program, char **ret);

/* Steps of both programs. */
int init_install_filter(struct walker *walker, const struct plan_step *step,
			struct err *err) MUST_CHECK; /* seccomp.c */
/* Adds the hint that the installed seccomp filter may deny the call, if it can return err's errno. */
void init_explain_filter(const struct walker *walker, struct err *err);
int bridge_join(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;

#endif
