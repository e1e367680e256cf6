/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of init and exec as bytes; the build puts their paths in the places of INIT_PATH and EXEC_PATH. */
	.section .rodata
	.balign 16
	.globl tare_init_start
	.globl tare_init_end
	.globl tare_exec_start
	.globl tare_exec_end
tare_init_start:
	.incbin "INIT_PATH"
tare_init_end:
	.balign 16
tare_exec_start:
	.incbin "EXEC_PATH"
tare_exec_end:
	.section .note.GNU-stack,"",%progbits
