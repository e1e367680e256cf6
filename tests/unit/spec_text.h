/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for the tests of spec, written with ' instead of ", and one example with every property. */
#ifndef TARE_TEST_SPEC_TEXT_H
#define TARE_TEST_SPEC_TEXT_H

#include <stdlib.h>
#include <string.h>

#include <tare/spec.h>

/* Returns a copy with every ' replaced by ". The caller frees it. */
static inline char *json_text(const char *text)
{
	char *json = mem_dup(text);

	for (char *c = json; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return json;
}

/* clang-format off */
static const char full_config[] =
"{\n"
" 'ociVersion': '1.3.0',\n"
" 'root': {'path': 'rootfs', 'readonly': true},\n"
" 'hostname': 'lighthouse', 'domainname': 'example.org',\n"
" 'mounts': [\n"
"  {'destination': '/proc', 'type': 'proc', 'source': 'proc', 'options': ['nosuid', 'noexec']},\n"
"  {'destination': 'data', 'source': '/srv/data', 'options': ['rbind', 'idmap'],\n"
"   'uidMappings': [{'containerID': 0, 'hostID': 5000, 'size': 10}],\n"
"   'gidMappings': [{'containerID': 1, 'hostID': 6000, 'size': 20}]}\n"
" ],\n"
" 'process': {\n"
"  'terminal': true, 'consoleSize': {'height': 25, 'width': 80},\n"
"  'cwd': '/work', 'env': ['PATH=/bin', 'A=1', 'EMPTY=', 'A=2=3'], 'args': ['sh', '-c', 'true'],\n"
"  'rlimits': [{'type': 'RLIMIT_NOFILE', 'soft': 1024, 'hard': 4096},\n"
"              {'type': 'RLIMIT_CORE', 'soft': 0, 'hard': 18446744073709551615}],\n"
"  'capabilities': {'bounding': ['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE'], 'effective': ['CAP_KILL'],\n"
"   'inheritable': [], 'permitted': ['CAP_NET_RAW', 'CAP_KILL'], 'ambient': ['CAP_SETFCAP']},\n"
"  'noNewPrivileges': true, 'oomScoreAdj': -500,\n"
"  'apparmorProfile': 'harbour', 'selinuxLabel': 'u:r:t:s0',\n"
"  'scheduler': {'policy': 'SCHED_DEADLINE', 'nice': -5, 'priority': 0,\n"
"   'flags': ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_DL_OVERRUN'],\n"
"   'runtime': 1000000, 'deadline': 2000000, 'period': 3000000},\n"
"  'ioPriority': {'class': 'IOPRIO_CLASS_BE', 'priority': 6},\n"
"  'execCPUAffinity': {'initial': '0-1', 'final': '2, 4-6'},\n"
"  'user': {'uid': 1000, 'gid': 100, 'umask': 18, 'additionalGids': [5, 4294967294], 'username': 'x'}\n"
" },\n"
" 'hooks': {\n"
"  'prestart': [{'path': '/h/pre'}],\n"
"  'createRuntime': [{'path': '/h/cr', 'args': ['cr', '-v'], 'env': ['K=V'], 'timeout': 7},\n"
"                    {'path': '/h/cr2', 'args': [], 'env': []}],\n"
"  'createContainer': [{'path': '/h/cc'}], 'startContainer': [{'path': '/h/sc'}],\n"
"  'poststart': [{'path': '/h/ps'}], 'poststop': [{'path': '/h/st'}]\n"
" },\n"
" 'annotations': {'org.example.a': 'one', 'org.example.b': ''},\n"
" 'linux': {\n"
"  'namespaces': [{'type': 'user'}, {'type': 'mount'}, {'type': 'pid', 'path': '/run/ns/pid'},\n"
"   {'type': 'network', 'path': '/run/ns/net'}, {'type': 'ipc'}, {'type': 'uts'}, {'type': 'cgroup'},\n"
"   {'type': 'time'}],\n"
"  'uidMappings': [{'containerID': 0, 'hostID': 100000, 'size': 65536}],\n"
"  'gidMappings': [{'containerID': 0, 'hostID': 200000, 'size': 1},\n"
"                  {'containerID': 1, 'hostID': 200001, 'size': 4294767294}],\n"
"  'timeOffsets': {'monotonic': {'secs': -100, 'nanosecs': 999999999}, 'boottime': {'secs': 200}},\n"
"  'devices': [{'type': 'c', 'path': '/dev/fuse', 'major': 10, 'minor': 229, 'fileMode': 438, 'uid': 1,\n"
"    'gid': 2},\n"
"   {'type': 'u', 'path': '/dev/u', 'major': 4095, 'minor': 1048575},\n"
"   {'type': 'b', 'path': '/dev/b', 'major': 8, 'minor': 0, 'fileMode': 25008},\n"
"   {'type': 'p', 'path': '/tmp/fifo', 'major': 0}],\n"
"  'netDevices': {'eth0': {'name': 'lan%d'}, 'ens4': {}},\n"
"  'cgroupsPath': '/pier/box',\n"
"  'resources': {\n"
"   'devices': [{'allow': false},\n"
"    {'allow': true, 'type': 'c', 'major': 10, 'minor': 229, 'access': 'rw'},\n"
"    {'allow': true, 'type': 'b', 'major': 8, 'access': 'm'}],\n"
"   'memory': {'limit': 536870912, 'reservation': 1024, 'swap': -1, 'kernel': 1, 'kernelTCP': 2,\n"
"    'swappiness': 60, 'disableOOMKiller': false, 'useHierarchy': true, 'checkBeforeUpdate': true},\n"
"   'cpu': {'shares': 1024, 'quota': 50000, 'burst': 40000, 'period': 100000, 'realtimeRuntime': 950000,\n"
"    'realtimePeriod': 1000000, 'cpus': '0-3,7', 'mems': '0', 'idle': 1},\n"
"   'blockIO': {'weight': 10, 'leafWeight': 1000,\n"
"    'weightDevice': [{'major': 8, 'minor': 0, 'weight': 500, 'leafWeight': 300},\n"
"                     {'major': 8, 'minor': 16, 'leafWeight': 0}],\n"
"    'throttleReadBpsDevice': [{'major': 8, 'minor': 1, 'rate': 600}],\n"
"    'throttleWriteBpsDevice': [{'major': 8, 'minor': 2, 'rate': 18446744073709551615}],\n"
"    'throttleReadIOPSDevice': [{'major': 8, 'minor': 3, 'rate': 0},\n"
"                               {'major': 9, 'minor': 3, 'rate': 1}],\n"
"    'throttleWriteIOPSDevice': [{'major': 8, 'minor': 4, 'rate': 300}]},\n"
"   'hugepageLimits': [{'pageSize': '2MB', 'limit': 9223372036854772000},\n"
"                      {'pageSize': '64KB', 'limit': 0}],\n"
"   'pids': {'limit': 0},\n"
"   'network': {'classID': 4294967295, 'priorities': [{'name': 'eth0', 'priority': 500}]},\n"
"   'rdma': {'mlx5_1': {'hcaHandles': 3, 'hcaObjects': 10000}, 'rxe3': {'hcaObjects': 0}},\n"
"   'unified': {'memory.high': '1G', 'io.max': 'a\\nb'}\n"
"  },\n"
"  'intelRdt': {'closID': 'gold', 'l3CacheSchema': 'L3:0=f', 'memBwSchema': 'MB:0=20',\n"
"   'schemata': ['L2:0=f', 'L2:1=f'], 'enableMonitoring': true},\n"
"  'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': '0-1',\n"
"   'flags': ['MPOL_F_STATIC_NODES', 'MPOL_F_NUMA_BALANCING']},\n"
"  'sysctl': {'net.ipv4.ip_forward': '1', 'kernel/shmmax': '9', 'net.ipv4.conf.eth0/1.mtu': '',\n"
"   'user.max_user_namespaces': '0', 'kernel.domainname': 'd', 'fs.mqueue.queues_max': '4'},\n"
"  'seccomp': {'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 38,\n"
"   'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_RISCV64'], 'flags': ['SECCOMP_FILTER_FLAG_LOG'],\n"
"   'listenerPath': '/run/l.sock', 'listenerMetadata': 'meta',\n"
"   'syscalls': [{'names': ['read', 'write'], 'action': 'SCMP_ACT_ALLOW'},\n"
"    {'names': ['personality'], 'action': 'SCMP_ACT_TRACE', 'errnoRet': 65535,\n"
"     'args': [{'index': 5, 'value': 18446744073709551615, 'valueTwo': 7, 'op': 'SCMP_CMP_MASKED_EQ'},\n"
"              {'index': 0, 'value': 8, 'op': 'SCMP_CMP_EQ'}]}]},\n"
"  'rootfsPropagation': 'rslave',\n"
"  'maskedPaths': ['/proc/kcore', '/proc/keys'], 'readonlyPaths': ['/proc/sys'],\n"
"  'mountLabel': 'u:object_r:t:s0',\n"
"  'personality': {'domain': 'LINUX32', 'flags': []}\n"
" }\n"
"}\n";
/* clang-format on */

#endif
