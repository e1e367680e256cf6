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
	int socket_fd;                    /* the peer to which an error goes: the parent, later the starter */
	const struct plan_filter *filter; /* in force: any system call may fail now; or NULL */
	bool may_fake_success;            /* and one may seem to succeed that does nothing */
	int console_fd;                   /* master of the console until the parent has it; or -1 */
	uint32_t joined; /* bit n: namespace number n was entered by an earlier, tentative step */
	struct rootfs rootfs;
	struct exec_program program;
	walk_step creation_step; /* the steps that an exec does not have; NULL for an exec */
	char **pointers;         /* room for the program's argv and environment */
};

/* Carries out the bridge's step; its spawn returns twice, as init and as bridge. */
int bridge_step(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;
int init_step(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;

/* The whole program, for freestanding_main. */
__attribute__((noreturn)) void init_walk(int argc, char **argv, walk_step creation_step);
/* Closes descriptors first to last, -1: all; also behind a filter that denies close_range(2). */
void init_close_range(const struct walker *walker, int first, int last);

/* The program's environment as execve(2) takes it, in an array that has room for it. */
void init_caller_environment(struct walker *walker, const struct plan_program *program, char **ret);

/* Steps that both have. */
int init_install_filter(struct walker *walker, const struct plan_step *step,
			struct err *err) MUST_CHECK; /* filter.c */
/* Says that the filter in force may be why a call failed, if it has such an errno to give. */
void init_explain_filter(const struct walker *walker, struct err *err);
int bridge_join(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;

#endif
