/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled program as bytes that can be kept, and the name that they are kept under. */
#include <errno.h>
#include <seccomp.h>
#include <string.h>

#include "private.h"
#include "sha256.h"

#define GENERATION 1 /* of this room: whatever changes the program that a configuration compiles to */
static const char entry_magic[8] = "tareSEC1";

struct head {
	char magic[sizeof entry_magic];
	unsigned char key[32], sum[32]; /* sum: of the whole entry with sum itself 0 */
	uint64_t count;
};
_Static_assert(sizeof(struct head) <= 128, "SECCOMP_ENTRY_MAX");

static void sum_of(const struct head *head, const void *filter, unsigned char ret[32])
{
	struct head copy = *head;
	struct sha256 hash;

	memset(copy.sum, 0, sizeof copy.sum);
	sha256_begin(&hash);
	sha256_add(&hash, &copy, sizeof copy);
	sha256_add(&hash, filter, head->count * sizeof(struct sock_filter));
	sha256_end(&hash, ret);
}

/* Everything has its length or is of fixed length, so that no two configurations have the same bytes. */
static void add_number(struct buf *out, uint64_t value)
{
	buf_add(out, &value, sizeof value);
}

static void add_list(struct buf *out, const struct spec_list *list)
{
	add_number(out, list->count);
	for (size_t i = 0; i < list->count; i++)
		buf_add(out, list->v[i], strlen(list->v[i]) + 1);
}

static void add_optional(struct buf *out, const struct spec_uint *value)
{
	add_number(out, value->is_set);
	add_number(out, value->is_set ? value->value : 0);
}

static void add_rule(struct buf *out, const struct spec_seccomp_rule *rule)
{
	add_list(out, &rule->names);
	add_number(out, rule->action);
	add_optional(out, &rule->errno_ret);
	add_number(out, rule->arg_count);
	for (size_t i = 0; i < rule->arg_count; i++) {
		const struct spec_seccomp_arg *arg = &rule->args[i];
		const uint64_t numbers[] = {arg->index, arg->value, arg->value_two, (uint64_t)arg->op};

		buf_add(out, numbers, sizeof numbers);
	}
}

void seccomp_make_key(const struct spec_seccomp *spec, struct seccomp_key *ret)
{
	const struct scmp_version *version = seccomp_version();
	const uint64_t makers[] = {GENERATION, version->major, version->minor, version->micro,
				   seccomp_arch_native()};
	_cleanup_buf_ struct buf text = {0};
	struct sha256 hash;

	buf_add(&text, makers, sizeof makers);
	add_number(&text, spec->default_action);
	add_optional(&text, &spec->default_errno_ret);
	add_list(&text, &spec->architectures);
	add_number(&text, spec->rule_count);
	for (size_t i = 0; i < spec->rule_count; i++)
		add_rule(&text, &spec->rules[i]);
	sha256_begin(&hash);
	sha256_add(&hash, text.data, text.len);
	sha256_end(&hash, ret->bytes);
	for (size_t i = 0; i < sizeof ret->bytes; i++)
		str_format(ret->name + 2 * i, 3, "%x%x", ret->bytes[i] >> 4, ret->bytes[i] & 15);
}

void seccomp_seal(const struct seccomp_program *program, const struct seccomp_key *key, struct buf *out)
{
	struct head head = {.count = program->count};

	memcpy(head.magic, entry_magic, sizeof head.magic);
	memcpy(head.key, key->bytes, sizeof head.key);
	sum_of(&head, program->filter, head.sum);
	buf_add(out, &head, sizeof head);
	buf_add(out, program->filter, program->count * sizeof *program->filter);
}

int seccomp_unseal(const void *data, size_t size, const struct seccomp_key *key, struct seccomp_program *ret)
{
	struct head head;
	unsigned char sum[32];
	const char *filter = (const char *)data + sizeof head;

	*ret = (struct seccomp_program){0};
	if (size < sizeof head)
		return -EBADMSG;
	memcpy(&head, data, sizeof head);
	if (memcmp(head.magic, entry_magic, sizeof head.magic) != 0 ||
	    memcmp(head.key, key->bytes, sizeof head.key) != 0 || head.count == 0 ||
	    head.count > BPF_MAXINSNS || size != sizeof head + head.count * sizeof(struct sock_filter))
		return -EBADMSG;
	sum_of(&head, filter, sum);
	if (memcmp(sum, head.sum, sizeof sum) != 0)
		return -EBADMSG;
	ret->count = (uint32_t)head.count;
	ret->filter = mem_alloc(ret->count * sizeof *ret->filter);
	memcpy(ret->filter, filter, ret->count * sizeof *ret->filter);
	return 0;
}
