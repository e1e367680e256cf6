/* SPDX-License-Identifier: Apache-2.0 */
/* The program of an exec: the bridge and its child, without the steps of a creation. */
#include <tare/freestanding.h>

#include "walk.h"

void freestanding_main(int argc, char **argv)
{
	walk_main(argc, argv, NULL);
}
