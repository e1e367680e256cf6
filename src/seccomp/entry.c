/* SPDX-License-Identifier: Apache-2.0 */
/* Stores a compiled program as bytes: the entry, its key, and the name of its file. Process: the parent. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>

#include <tare/seccomp.h>

#define REVISION 2 /* increase with each change of the program that a configuration compiles to */
static const char entry_magic[8] = "tareSEC2";

/* Layout of an entry: this head, the bytes of the key, the instructions. */
struct head {
	char magic[sizeof entry_magic];
	uint64_t sum; /* of the whole entry with sum itself 0 */
	uint64_t key_size, count;
};

static uint64_t sum_of(const struct head *head, const void *key, const void *filter)
{
	struct head copy = *head;
	uint64_t sum;

	copy.sum = 0;
	sum = sum_add(SUM_BEGIN, &copy, sizeof copy);
	sum = sum_add(sum, key, head->key_size);
	return sum_add(sum, filter, head->count * sizeof(struct sock_filter));
}

/*
 * Each field is preceded by its length, or count, or has a fixed length, so that different configurations never
 * have the same bytes.
 */
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

void seccomp_key_make(const struct spec_seccomp *spec, struct seccomp_key *ret)
{
	const struct scmp_version *version = seccomp_version();
	const uint64_t versions[] = {REVISION, version->major, version->minor, version->micro,
				     seccomp_arch_native()};
	struct buf text = {0};

	buf_add(&text, versions, sizeof versions);
	add_number(&text, spec->default_action);
	add_optional(&text, &spec->default_errno_ret);
	add_list(&text, &spec->architectures);
	add_number(&text, spec->rule_count);
	for (size_t i = 0; i < spec->rule_count; i++)
		add_rule(&text, &spec->rules[i]);
	ret->bytes = text;
	snprintf(ret->name, sizeof ret->name, "%016llx",
		 (unsigned long long)sum_add(SUM_BEGIN, text.data, text.len));
}

void seccomp_key_done(struct seccomp_key *key)
{
	buf_done(&key->bytes);
}

size_t seccomp_entry_max(const struct seccomp_key *key)
{
	return sizeof(struct head) + key->bytes.len + BPF_MAXINSNS * sizeof(struct sock_filter);
}

void seccomp_seal(const struct seccomp_program *program, const struct seccomp_key *key, struct buf *out)
{
	struct head head = {.key_size = key->bytes.len, .count = program->count};

	memcpy(head.magic, entry_magic, sizeof head.magic);
	head.sum = sum_of(&head, key->bytes.data, program->filter);
	buf_add(out, &head, sizeof head);
	buf_add(out, key->bytes.data, key->bytes.len);
	buf_add(out, program->filter, program->count * sizeof *program->filter);
}

/* Whether size is that of a complete entry: head, key and as many instructions as head states. */
static bool is_complete(const struct head *head, size_t size, const struct seccomp_key *key)
{
	return memcmp(head->magic, entry_magic, sizeof head->magic) == 0 && head->key_size == key->bytes.len &&
	       head->count > 0 && head->count <= BPF_MAXINSNS &&
	       size == sizeof *head + head->key_size + head->count * sizeof(struct sock_filter);
}

int seccomp_unseal(const void *data, size_t size, const struct seccomp_key *key, struct seccomp_program *ret)
{
	const char *bytes = (const char *)data + sizeof(struct head), *filter;
	struct head head;

	*ret = (struct seccomp_program){0};
	if (size < sizeof head)
		return -EBADMSG;
	memcpy(&head, data, sizeof head);
	if (!is_complete(&head, size, key) || memcmp(bytes, key->bytes.data, head.key_size) != 0)
		return -EBADMSG;
	filter = bytes + head.key_size;
	if (head.sum != sum_of(&head, bytes, filter))
		return -EBADMSG;
	ret->count = (uint32_t)head.count;
	ret->filter = mem_alloc(ret->count * sizeof *ret->filter);
	memcpy(ret->filter, filter, ret->count * sizeof *ret->filter);
	return 0;
}
