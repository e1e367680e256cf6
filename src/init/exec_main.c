/* SPDX-License-Identifier: Apache-2.0 */
/* The program of an exec: the bridge and init, without the steps of a creation. */
#include <tare/freestanding.h>

#include "walker.h"

void freestanding_main(int argc, char **argv)
{
	init_walk(argc, argv, NULL);
}
