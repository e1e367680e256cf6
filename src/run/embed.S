/* SPDX-License-Identifier: Apache-2.0 */
/* The program of init as bytes; the build puts its path in the place of INIT_PATH. */
	.section .rodata
	.balign 16
	.globl tare_init_start
	.globl tare_init_end
tare_init_start:
	.incbin "INIT_PATH"
tare_init_end:
	.section .note.GNU-stack,"",%progbits
