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
	int creator_fd;                   /* to the creator, once the starter is the peer; or -1 */
	const struct plan_filter *filter; /* the installed seccomp filter, which can deny any call; or NULL */
	bool may_fake_success;            /* the filter can make a call return success without an effect */
	int console_fd;                   /* master of the console until the parent has it; or -1 */
	uint32_t joined;                  /* bit n: an earlier, tentative step has entered namespace number n */
	struct rootfs rootfs;
	struct exec_program program;
	walk_step init_step; /* the steps of init in this program */
	char **pointers;     /* memory for the program's argv and environment */
	size_t pointers_size;
	struct init_trace *trace; /* of trace.c, or NULL */
};

/* --- the steps, as the table of steps names them --- */

#define WALKER_STEP__(name)
#define WALKER_STEP_P(name)
#define WALKER_STEP_S(name)
#define WALKER_STEP_B(name)                                                                                    \
	int bridge_##name(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;
#define WALKER_STEP_M(name) WALKER_STEP_I(name)
#define WALKER_STEP_I(name)                                                                                    \
	int init_##name(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;
#define WALKER_STEP(kind, name, printed, parent, bridge, create, exec, ...)                                    \
	WALKER_STEP_##bridge(name) WALKER_STEP_##create(name) WALKER_STEP_##exec(name)
PLAN_STEPS(WALKER_STEP)
#undef WALKER_STEP

/* The call of a step by its letter, for a function with the parameters of walk_step. */
#define WALKER_B(name) bridge_##name(walker, step, err)
#define WALKER_I(name) init_##name(walker, step, err)
/* Only in the program that changes the mounts of an existing container. */
#ifdef WALKER_HAS_MOUNTS
#define WALKER_M(name) WALKER_I(name)
#else
#define WALKER_M(name) WALKER__(name)
#endif
#define WALKER_S(name) process_##name(walker->plan, step, err)
#define WALKER__(name) init_refuse(step, err)
/* Sets *err: this process never has such a step. */
int init_refuse(const struct plan_step *step, struct err *err);

/* Carries out a step of the bridge. After PLAN_SPAWN it returns in init only; the bridge exits. */
int bridge_step(struct walker *walker, const struct plan_step *step, struct err *err) MUST_CHECK;

/* Enters the namespaces of a container that exists, and its root directory; bridge.c. */
int bridge_enter_namespaces(struct walker *walker, const struct plan_container *container,
			    struct err *err) MUST_CHECK;
/* Unmounts what the steps before the current one have mounted, and adds to *err what cannot be; mounts.c. */
void init_undo_mounts(struct walker *walker, struct err *err);

/* The whole program, for freestanding_main. */
__attribute__((noreturn)) void init_walk(int argc, char **argv, walk_step init_step);
/* The rest of it: the steps after the current one, in the process that PLAN_REAPER has started. */
__attribute__((noreturn)) void init_walk_on(struct walker *walker);
/* Reports the error r with *err to the peer and the creator, and exits. */
__attribute__((noreturn)) void init_fail(const struct walker *walker, int r, struct err *err);
/* Closes the descriptors first to last (-1: all), also if a seccomp filter denies close_range(2). */
void init_close_range(const struct walker *walker, int first, int last);
/* The socket of the recorder of system calls, or -1. */
int init_recorder_fd(const struct walker *walker);
/* Closes the descriptors from first on, except those in kept. Numbers below first in kept have no effect. */
void init_close_except(const struct walker *walker, int first, const int *kept, size_t count);
/* The pipe for the end of the program, or -1. */
int init_end_fd(const struct walker *walker);
/* The file for standard output (0) or error (1) of startContainer hooks; or -1. */
int init_output_fd(const struct walker *walker, int i);

/* --- trace.c --- */

/* Maps the trace and closes its file. Needs the plan. 0 or -errno. */
int init_trace_map(struct walker *walker) MUST_CHECK;
void init_trace_unmap(struct walker *walker);
/* The step with index walker->at begins, or is complete. Without a trace these do nothing. */
void init_trace_begin(const struct walker *walker);
void init_trace_end(const struct walker *walker);

/* Fills *ret, which the caller provides, with the program's environment in the form of execve(2). */
void init_caller_environment(struct walker *walker, const struct plan_program *program, char **ret);

/* Adds the hint that the installed seccomp filter may deny the call, if it can return err's errno. */
void init_explain_filter(const struct walker *walker, struct err *err);

#endif
