/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of init, exec, a change of mounts and the watcher as bytes. The build replaces *_PATH by their paths. */
	.section .rodata
	.balign 16
	.globl tare_init_start
	.globl tare_init_end
	.globl tare_exec_start
	.globl tare_exec_end
	.globl tare_mounts_start
	.globl tare_mounts_end
	.globl tare_watch_start
	.globl tare_watch_end
tare_init_start:
	.incbin "INIT_PATH"
tare_init_end:
	.balign 16
tare_exec_start:
	.incbin "EXEC_PATH"
tare_exec_end:
	.balign 16
tare_mounts_start:
	.incbin "MOUNTS_PATH"
tare_mounts_end:
	.balign 16
tare_watch_start:
	.incbin "WATCH_PATH"
tare_watch_end:
	.section .note.GNU-stack,"",%progbits
