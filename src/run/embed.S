/* SPDX-License-Identifier: Apache-2.0 */
/* The program of init as bytes; TARE_INIT is its path, given by the build. */
	.section .rodata
	.balign 16
	.globl tare_init_start
	.globl tare_init_end
tare_init_start:
	.incbin TARE_INIT
tare_init_end:
	.section .note.GNU-stack,"",%progbits
