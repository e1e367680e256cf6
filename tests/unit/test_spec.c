/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of spec: it refuses invalid texts with the right JSON pointer and message, and accepts names. */
#include <errno.h>

#include "spec_text.h"
#include "unit.h"

enum level { TOP, PROCESS, LINUX, RESOURCES, SECCOMP, WHOLE };

#define HEAD "'ociVersion':'1.2.0','root':{'path':'r'},"
static const char *const frames[] = {
	[TOP] = "{" HEAD "%s}",
	[PROCESS] = "{" HEAD "'process':{'cwd':'/',%s}}",
	[LINUX] = "{" HEAD "'linux':{%s}}",
	[RESOURCES] = "{" HEAD "'linux':{'resources':{%s}}}",
	[SECCOMP] = "{" HEAD "'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ALLOW',%s}}}",
	[WHOLE] = "%s",
};

struct bad {
	enum level level;
	const char *text, *json_pointer, *msg;
};

#define X10 "xxxxxxxxxx"
#define X65 X10 X10 X10 X10 X10 X10 "xxxxx"
#define MAP(c, h, n) "{'containerID':" c ",'hostID':" h ",'size':" n "}"
#define ID0 MAP("0", "0", "1")

static const struct bad bad_texts[] = {
	{WHOLE, "", "", "line 1, column 1: the text has no JSON value"},
	{WHOLE, " \n\t ", "", "line 2, column 3: the text has no JSON value"},
	{WHOLE, "{", "", "line 1, column 2: the text ends too early"},
	{WHOLE, "{]", "", "line 1, column 2: invalid object key (must be a string)"},
	{WHOLE, "{'a':\n 1,}", "", "line 2, column 4: invalid object key (must be a string)"},
	{WHOLE, "{} x", "", "line 1, column 4: trailing garbage"},
	{WHOLE, "{}{}", "", "line 1, column 3: trailing garbage"},
	{WHOLE, "{'\xc3\xa4\xe2\x82\xac' 1}", "",
	 "line 1, column 7: object key and value must be separated by a colon (':')"},
	{WHOLE, "\xef\xbb\xbf{}", "", "line 1, column 1: invalid char in json text"},
	{WHOLE, "/* x */{}", "",
	 "line 1, column 1: probable comment found in input text, comments are not enabled"},
	{WHOLE, "{'a':'\x01'}", "", "line 1, column 7: invalid character inside string"},
	{WHOLE, "{'a':'\xff'}", "", "line 1, column 7: invalid UTF-8"},
	{WHOLE, "{'a':'\xc0\xaf'}", "", "line 1, column 7: invalid UTF-8"},
	{WHOLE, "{'a':'\xe0\x80\xaf'}", "", "line 1, column 7: invalid UTF-8"},
	{WHOLE, "{'a':'\xed\xa0\x80'}", "", "line 1, column 7: invalid UTF-8"},
	{WHOLE, "{'a':'\xf4\x90\x80\x80'}", "", "line 1, column 7: invalid UTF-8"},
	{WHOLE, "{'a':'\xe2\x82'}", "", "line 1, column 7: invalid UTF-8"},
	{WHOLE, "{'a':'x\\u0000'}", "", "line 1, column 8: a string must not contain NUL"},
	{WHOLE, "{'\\u0000':1}", "", "line 1, column 3: a string must not contain NUL"},
	{WHOLE, "{'a':'\\ud800'}", "", "line 1, column 7: lone surrogate in a \\u escape"},
	{WHOLE, "{'a':'\\ud800\\ud800'}", "", "line 1, column 7: lone surrogate in a \\u escape"},
	{WHOLE, "{'a':'\\udc00'}", "", "line 1, column 7: lone surrogate in a \\u escape"},
	{WHOLE, "{'a':'\\u12g4'}", "", "line 1, column 7: malformed \\u escape"},
	{WHOLE, "{'a':'\\u12", "", "line 1, column 7: malformed \\u escape"},
	{WHOLE, "{'a':01}", "", "line 1, column 7: after key and value, inside map, I expect ',' or '}'"},
	{WHOLE, "{'a':1.}", "",
	 "line 1, column 8: malformed number, a digit is required after the decimal point"},
	{WHOLE, "{'a':NaN}", "", "line 1, column 6: invalid char in json text"},
	{WHOLE, "[]", "", "must be an object, not an array"},
	{WHOLE, "null", "", "must be an object, not null"},
	{WHOLE, "'x'", "", "must be an object, not a string"},
	{WHOLE, "1", "", "must be an object, not a number"},
	{WHOLE, "{}", "/ociVersion", "is required"},
	{TOP, "'x':{'a/b~c':[0,{'k':1,'k':2}]}", "/x/a~1b~0c/1/k", "key given twice"},
	{TOP, "'hostname':'a','hostname':'b'", "/hostname", "key given twice"},
	{TOP, "'root':{'path':'r'}", "/root", "key given twice"},
};

static const struct bad bad_tops[] = {
	{WHOLE, "{'ociVersion':'1.0.0'}", "/root", "is required"},
	{WHOLE, "{'ociVersion':'1.0.0','root':null}", "/root", "is required"},
	{WHOLE, "{'ociVersion':null,'root':{'path':'r'}}", "/ociVersion", "is required"},
	{WHOLE, "{'ociVersion':'1.0.0','root':{}}", "/root/path", "is required"},
	{WHOLE, "{'ociVersion':'1.0.0','root':{'path':''}}", "/root/path", "must not be empty"},
	{WHOLE, "{'ociVersion':'1.0.0','root':{'path':'r','readonly':1}}", "/root/readonly",
	 "must be a boolean, not a number"},
	{WHOLE, "{'ociVersion':1,'root':{'path':'r'}}", "/ociVersion", "must be a string, not a number"},
	{WHOLE, "{'ociVersion':'','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not ''"},
	{WHOLE, "{'ociVersion':'1.0','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.0'"},
	{WHOLE, "{'ociVersion':'v1.0.2','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not 'v1.0.2'"},
	{WHOLE, "{'ociVersion':'1.00.2','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.00.2'"},
	{WHOLE, "{'ociVersion':'1.0.2-','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.0.2-'"},
	{WHOLE, "{'ociVersion':'1.0.2-a..b','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.0.2-a..b'"},
	{WHOLE, "{'ociVersion':'1.0.2-01','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.0.2-01'"},
	{WHOLE, "{'ociVersion':'1.0.2+','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.0.2+'"},
	{WHOLE, "{'ociVersion':'1.0.2 ','root':{'path':'r'}}", "/ociVersion",
	 "must be a version like '1.2.0', not '1.0.2 '"},
	{WHOLE, "{'ociVersion':'2.0.0','root':{'path':'r'}}", "/ociVersion",
	 "version '2.0.0' is not supported (1.0.0 to 1.3.0 are)"},
	{TOP, "'mounts':{}", "/mounts", "must be an array, not an object"},
	{TOP, "'mounts':[null]", "/mounts/0", "must be an object, not null"},
	{TOP, "'mounts':[{'destination':'/a'},{}]", "/mounts/1/destination", "is required"},
	{TOP, "'mounts':[{'destination':''}]", "/mounts/0/destination", "must not be empty"},
	{TOP, "'mounts':[{'destination':'/a','type':1}]", "/mounts/0/type", "must be a string, not a number"},
	{TOP, "'mounts':[{'destination':'/a','options':'ro'}]", "/mounts/0/options",
	 "must be an array, not a string"},
	{TOP, "'mounts':[{'destination':'/a','options':['ro',null]}]", "/mounts/0/options/1",
	 "must be a string, not null"},
	{TOP, "'mounts':[{'destination':'/a','uidMappings':[" ID0 "]}]", "/mounts/0/gidMappings",
	 "is required together with uidMappings"},
	{TOP, "'mounts':[{'destination':'/a','gidMappings':[" ID0 "],'uidMappings':[]}]",
	 "/mounts/0/uidMappings", "is required together with gidMappings"},
	{TOP, "'mounts':[{'destination':'/a','uidMappings':[" MAP("0", "0", "0") "]}]",
	 "/mounts/0/uidMappings/0/size", "must be from 1 to 4294967295, not 0"},
	{TOP, "'mounts':[{'destination':'/a','options':['bind','ridmap']}]", "/mounts/0/options/1",
	 "'ridmap' needs uidMappings and gidMappings, or a user namespace"},
	{TOP, "'hostname':1", "/hostname", "must be a string, not a number"},
	{TOP, "'hostname':'h'", "/hostname", "needs a uts namespace in /linux/namespaces"},
	{TOP, "'domainname':'h','linux':{'namespaces':[{'type':'ipc'}]}", "/domainname",
	 "needs a uts namespace in /linux/namespaces"},
	{TOP, "'hostname':'" X65 "','linux':{'namespaces':[{'type':'uts'}]}", "/hostname",
	 "must be at most 64 bytes long, not 65"},
	{TOP, "'annotations':[]", "/annotations", "must be an object, not an array"},
	{TOP, "'annotations':{'':'x'}", "/annotations/", "the key must not be empty"},
	{TOP, "'annotations':{'a':1}", "/annotations/a", "must be a string, not a number"},
	{TOP, "'hooks':[]", "/hooks", "must be an object, not an array"},
	{TOP, "'hooks':{'prestart':{}}", "/hooks/prestart", "must be an array, not an object"},
	{TOP, "'hooks':{'poststop':[{}]}", "/hooks/poststop/0/path", "is required"},
	{TOP, "'hooks':{'createRuntime':[{'path':'bin/x'}]}", "/hooks/createRuntime/0/path",
	 "must be an absolute path, not 'bin/x'"},
	{TOP, "'hooks':{'poststart':[{'path':'/x'},{'path':'/x','timeout':0}]}", "/hooks/poststart/1/timeout",
	 "must be from 1 to 2147483647, not 0"},
	{TOP, "'hooks':{'poststart':[{'path':'/x','timeout':-1}]}", "/hooks/poststart/0/timeout",
	 "must be from 1 to 2147483647, not -1"},
	{TOP, "'hooks':{'poststart':[{'path':'/x','env':[1]}]}", "/hooks/poststart/0/env/0",
	 "must be a string, not a number"},
	{TOP, "'linux':[]", "/linux", "must be an object, not an array"},
};

static const struct bad bad_processes[] = {
	{TOP, "'process':{}", "/process/cwd", "is required"},
	{TOP, "'process':{'cwd':''}", "/process/cwd", "must be an absolute path, not ''"},
	{TOP, "'process':{'cwd':'a/b'}", "/process/cwd", "must be an absolute path, not 'a/b'"},
	{TOP, "'process':{'cwd':'a\\n" X65 "'}", "/process/cwd",
	 "must be an absolute path, not 'a?" X10 X10 X10 X10 X10 "xxxxxxxx...'"},
	{TOP, "'process':{'cwd':'a" X10 X10 X10 X10 X10 "xxxxxxxx\\u00e4'}", "/process/cwd",
	 "must be an absolute path, not 'a" X10 X10 X10 X10 X10 "xxxxxxxx...'"},
	{PROCESS, "'terminal':'true'", "/process/terminal", "must be a boolean, not a string"},
	{PROCESS, "'terminal':true,'consoleSize':{'height':1}", "/process/consoleSize/width", "is required"},
	{PROCESS, "'terminal':true,'consoleSize':{'height':65536,'width':1}", "/process/consoleSize/height",
	 "must be from 0 to 65535, not 65536"},
	{PROCESS, "'args':[]", "/process/args", "must not be empty"},
	{PROCESS, "'args':['a',1]", "/process/args/1", "must be a string, not a number"},
	{PROCESS, "'env':['A=1','B']", "/process/env/1", "must be NAME=VALUE, not 'B'"},
	{PROCESS, "'env':['=1']", "/process/env/0", "'=1' has no name before the '='"},
	{PROCESS, "'rlimits':[{'type':'RLIMIT_FOO','soft':1,'hard':1}]", "/process/rlimits/0/type",
	 "unknown rlimit 'RLIMIT_FOO'"},
	{PROCESS, "'rlimits':[{'type':'RLIMIT_CPU','soft':1}]", "/process/rlimits/0/hard", "is required"},
	{PROCESS, "'rlimits':[{'type':'RLIMIT_CPU','soft':2,'hard':1}]", "/process/rlimits/0/soft",
	 "must not be above the hard limit of 1, not 2"},
	{PROCESS, "'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':-1}]", "/process/rlimits/0/hard",
	 "must be from 0 to 18446744073709551615, not -1"},
	{PROCESS, "'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':18446744073709551616}]",
	 "/process/rlimits/0/hard", "must be from 0 to 18446744073709551615, not 18446744073709551616"},
	{PROCESS,
	 "'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1},{'type':'RLIMIT_AS','soft':1,'hard':1},{'type':'"
	 "RLIMIT_CPU','soft':1,'hard':1}]",
	 "/process/rlimits/2/type", "rlimit 'RLIMIT_CPU' given twice"},
	{PROCESS, "'capabilities':[]", "/process/capabilities", "must be an object, not an array"},
	{PROCESS, "'capabilities':{'ambient':[3]}", "/process/capabilities/ambient/0",
	 "must be a string, not a number"},
	{PROCESS, "'oomScoreAdj':1001", "/process/oomScoreAdj", "must be from -1000 to 1000, not 1001"},
	{PROCESS, "'oomScoreAdj':-1001", "/process/oomScoreAdj", "must be from -1000 to 1000, not -1001"},
	{PROCESS, "'oomScoreAdj':1.5", "/process/oomScoreAdj", "must be an integer, not 1.5"},
	{PROCESS, "'oomScoreAdj':1e2", "/process/oomScoreAdj", "must be an integer, not 1e2"},
	{PROCESS, "'oomScoreAdj':'1'", "/process/oomScoreAdj", "must be a number, not a string"},
	{PROCESS, "'oomScoreAdj':-9223372036854775809", "/process/oomScoreAdj",
	 "must be from -1000 to 1000, not -9223372036854775809"},
	{PROCESS, "'scheduler':{}", "/process/scheduler/policy", "is required"},
	{PROCESS, "'scheduler':{'policy':'SCHED_X'}", "/process/scheduler/policy",
	 "unknown scheduler policy 'SCHED_X'"},
	{PROCESS, "'scheduler':{'policy':'SCHED_FIFO'}", "/process/scheduler/priority",
	 "SCHED_FIFO needs a priority from 1 to 99"},
	{PROCESS, "'scheduler':{'policy':'SCHED_RR','priority':100}", "/process/scheduler/priority",
	 "must be from 0 to 99, not 100"},
	{PROCESS, "'scheduler':{'policy':'SCHED_BATCH','priority':1}", "/process/scheduler/priority",
	 "only SCHED_FIFO and SCHED_RR have a priority, not SCHED_BATCH"},
	{PROCESS, "'scheduler':{'policy':'SCHED_OTHER','nice':20}", "/process/scheduler/nice",
	 "must be from -20 to 19, not 20"},
	{PROCESS, "'scheduler':{'policy':'SCHED_OTHER','nice':-21}", "/process/scheduler/nice",
	 "must be from -20 to 19, not -21"},
	{PROCESS, "'scheduler':{'policy':'SCHED_IDLE','runtime':1}", "/process/scheduler/runtime",
	 "only SCHED_DEADLINE has a runtime, not SCHED_IDLE"},
	{PROCESS, "'scheduler':{'policy':'SCHED_IDLE','deadline':1}", "/process/scheduler/deadline",
	 "only SCHED_DEADLINE has a deadline, not SCHED_IDLE"},
	{PROCESS, "'scheduler':{'policy':'SCHED_IDLE','period':1}", "/process/scheduler/period",
	 "only SCHED_DEADLINE has a period, not SCHED_IDLE"},
	{PROCESS, "'scheduler':{'policy':'SCHED_DEADLINE'}", "/process/scheduler/runtime",
	 "SCHED_DEADLINE needs a runtime above 0"},
	{PROCESS, "'scheduler':{'policy':'SCHED_DEADLINE','runtime':2,'deadline':1}",
	 "/process/scheduler/deadline", "must be at least the runtime of 2, not 1"},
	{PROCESS, "'scheduler':{'policy':'SCHED_DEADLINE','runtime':2,'deadline':3,'period':2}",
	 "/process/scheduler/period", "must be 0 or at least the deadline of 3, not 2"},
	{PROCESS, "'scheduler':{'policy':'SCHED_OTHER','flags':['SCHED_FLAG_RECLAIM','x']}",
	 "/process/scheduler/flags/1", "unknown scheduler flag 'x'"},
	{PROCESS, "'ioPriority':{'priority':1}", "/process/ioPriority/class", "is required"},
	{PROCESS, "'ioPriority':{'class':'IOPRIO_CLASS_NONE'}", "/process/ioPriority/class",
	 "unknown I/O priority class 'IOPRIO_CLASS_NONE'"},
	{PROCESS, "'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':8}", "/process/ioPriority/priority",
	 "must be from 0 to 7, not 8"},
	{PROCESS, "'execCPUAffinity':{'initial':'0-'}", "/process/execCPUAffinity/initial",
	 "must be a list like \\0-3,7\\, not '0-'"},
	{PROCESS, "'execCPUAffinity':{'final':'a'}", "/process/execCPUAffinity/final",
	 "must be a list like \\0-3,7\\, not 'a'"},
	{PROCESS, "'user':{'uid':4294967295}", "/process/user/uid",
	 "must be from 0 to 4294967294, not 4294967295"},
	{PROCESS, "'user':{'gid':-1}", "/process/user/gid", "must be from 0 to 4294967294, not -1"},
	{PROCESS, "'user':{'umask':512}", "/process/user/umask", "must be from 0 to 511, not 512"},
	{PROCESS, "'user':{'additionalGids':[0,4294967295]}", "/process/user/additionalGids/1",
	 "must be from 0 to 4294967294, not 4294967295"},
};

static const struct bad bad_linuxes[] = {
	{LINUX, "'namespaces':{}", "/linux/namespaces", "must be an array, not an object"},
	{LINUX, "'namespaces':[{}]", "/linux/namespaces/0/type", "is required"},
	{LINUX, "'namespaces':[{'type':'net'}]", "/linux/namespaces/0/type", "unknown namespace type 'net'"},
	{LINUX, "'namespaces':[{'type':'pid','path':'ns'}]", "/linux/namespaces/0/path",
	 "must be an absolute path, not 'ns'"},
	{LINUX, "'namespaces':[{'type':'pid'},{'type':'ipc'},{'type':'pid'}]", "/linux/namespaces/2/type",
	 "namespace 'pid' given twice"},
	{LINUX, "'uidMappings':[" ID0 "]", "/linux/uidMappings", "needs a user namespace in /linux/namespaces"},
	{LINUX, "'gidMappings':[" ID0 "]", "/linux/gidMappings", "needs a user namespace in /linux/namespaces"},
	{LINUX, "'namespaces':[{'type':'user'}]", "/linux/uidMappings", "a new user namespace needs mappings"},
	{LINUX, "'namespaces':[{'type':'user'}],'uidMappings':[" ID0 "],'gidMappings':[]", "/linux/gidMappings",
	 "a new user namespace needs mappings"},
	{LINUX, "'uidMappings':[{'containerID':0,'hostID':0}]", "/linux/uidMappings/0/size", "is required"},
	{LINUX, "'uidMappings':[" MAP("4294967294", "0", "2") "]", "/linux/uidMappings/0/size",
	 "2 ids from containerID 4294967294 exceed the highest id, 4294967294"},
	{LINUX, "'uidMappings':[" MAP("0", "1", "4294967295") "]", "/linux/uidMappings/0/size",
	 "4294967295 ids from hostID 1 exceed the highest id, 4294967294"},
	{LINUX, "'uidMappings':[" MAP("4294967295", "0", "1") "]", "/linux/uidMappings/0/containerID",
	 "must be from 0 to 4294967294, not 4294967295"},
	{LINUX, "'timeOffsets':{'monotonic':{}}", "/linux/timeOffsets",
	 "needs a time namespace in /linux/namespaces"},
	{LINUX, "'namespaces':[{'type':'time','path':'/t'}],'timeOffsets':{'boottime':{'secs':1}}",
	 "/linux/timeOffsets", "can only be set for a new time namespace, not for '/t'"},
	{LINUX, "'timeOffsets':{'boottime':{'nanosecs':1000000000}}", "/linux/timeOffsets/boottime/nanosecs",
	 "must be from 0 to 999999999, not 1000000000"},
	{LINUX, "'timeOffsets':{'boottime':{'secs':9223372036854775808}}", "/linux/timeOffsets/boottime/secs",
	 "must be from -9223372036854775808 to 9223372036854775807, not 9223372036854775808"},
	{LINUX, "'devices':[{'path':'/d','major':1,'minor':1}]", "/linux/devices/0/type", "is required"},
	{LINUX, "'devices':[{'type':'x','path':'/d','major':1,'minor':1}]", "/linux/devices/0/type",
	 "must be 'c', 'u', 'b' or 'p', not 'x'"},
	{LINUX, "'devices':[{'type':'c','path':'d','major':1,'minor':1}]", "/linux/devices/0/path",
	 "must be an absolute path, not 'd'"},
	{LINUX, "'devices':[{'type':'c','path':'/d','minor':1}]", "/linux/devices/0/major", "is required"},
	{LINUX, "'devices':[{'type':'b','path':'/d','major':1}]", "/linux/devices/0/minor", "is required"},
	{LINUX, "'devices':[{'type':'p','path':'/d','major':1}]", "/linux/devices/0/major",
	 "must be 0 or absent for a device of type 'p'"},
	{LINUX, "'devices':[{'type':'p','path':'/d','minor':1}]", "/linux/devices/0/minor",
	 "must be 0 or absent for a device of type 'p'"},
	{LINUX, "'devices':[{'type':'c','path':'/d','major':4096,'minor':1}]", "/linux/devices/0/major",
	 "must be from 0 to 4095, not 4096"},
	{LINUX, "'devices':[{'type':'c','path':'/d','major':1,'minor':1048576}]", "/linux/devices/0/minor",
	 "must be from 0 to 1048575, not 1048576"},
	{LINUX, "'devices':[{'type':'c','path':'/d','major':1,'minor':1,'fileMode':4096}]",
	 "/linux/devices/0/fileMode", "must be permission bits (0 to 4095), not 4096"},
	{LINUX, "'devices':[{'type':'c','path':'/d','major':1,'minor':1,'fileMode':25008}]",
	 "/linux/devices/0/fileMode", "must be permission bits (0 to 4095), not 25008"},
	{LINUX, "'devices':[{'type':'p','path':'/d','uid':4294967295}]", "/linux/devices/0/uid",
	 "must be from 0 to 4294967294, not 4294967295"},
	{LINUX,
	 "'devices':[{'type':'p','path':'/d'},{'type':'p','path':'/e'},{'type':'c','path':'/"
	 "d','major':0,'minor':0}]",
	 "/linux/devices/2/path", "device '/d' given twice, with different properties"},
	{LINUX,
	 "'devices':[{'type':'p','path':'/d','uid':0},{'type':'p','path':'/d'},{'type':'p','path':'//d/.//"
	 "','uid':1}]",
	 "/linux/devices/2/path", "device '/d' given twice, with different properties"},
	{LINUX, "'devices':[{'type':'p','path':'/a/./d','gid':1},{'type':'p','path':'/a/d','gid':2}]",
	 "/linux/devices/1/path", "device '/a/d' given twice, with different properties"},
	{LINUX, "'devices':[{'type':'p','path':'/d','fileMode':1},{'type':'p','path':'/d/','fileMode':2}]",
	 "/linux/devices/1/path", "device '/d' given twice, with different properties"},
	{LINUX,
	 "'devices':[{'type':'c','path':'/d','major':1,'minor':3},{'type':'c','path':'/"
	 "d','major':1,'minor':5}]",
	 "/linux/devices/1/path", "device '/d' given twice, with different properties"},
	{LINUX, "'devices':[{'type':'p','path':'/'}]", "/linux/devices/0/path",
	 "must be the path of a file, not '/'"},
	{LINUX, "'devices':[{'type':'p','path':'/a/../'}]", "/linux/devices/0/path",
	 "must be the path of a file, not '/a/../'"},
	{LINUX, "'devices':[{'type':'p','path':'d/'}]", "/linux/devices/0/path",
	 "must be an absolute path, not 'd/'"},
	{LINUX, "'netDevices':[]", "/linux/netDevices", "must be an object, not an array"},
	{LINUX, "'netDevices':{'eth0':null}", "/linux/netDevices/eth0", "must be an object, not null"},
	{LINUX, "'netDevices':{'eth0':{'name':23}}", "/linux/netDevices/eth0/name",
	 "must be a string, not a number"},
	{LINUX, "'netDevices':{'':{}}", "/linux/netDevices/", "the key must not be empty"},
	{LINUX, "'netDevices':{'a23456789abcdefg':{}}", "/linux/netDevices/a23456789abcdefg",
	 "'a23456789abcdefg' is not a valid interface name"},
	{LINUX, "'netDevices':{'a/b':{}}", "/linux/netDevices/a~1b", "'a/b' is not a valid interface name"},
	{LINUX, "'netDevices':{'a':{'name':'..'}}", "/linux/netDevices/a/name",
	 "'..' is not a valid interface name"},
	{LINUX, "'netDevices':{'a':{'name':'.'}}", "/linux/netDevices/a/name",
	 "'.' is not a valid interface name"},
	{LINUX, "'netDevices':{'a':{'name':'x y'}}", "/linux/netDevices/a/name",
	 "'x y' is not a valid interface name"},
	{LINUX, "'netDevices':{'a':{'name':'x:y'}}", "/linux/netDevices/a/name",
	 "'x:y' is not a valid interface name"},
	{LINUX, "'netDevices':{'a':{'name':'x%s'}}", "/linux/netDevices/a/name",
	 "'x%s' must have '%d' once, and no other '%'"},
	{LINUX, "'netDevices':{'a':{'name':'%d%d'}}", "/linux/netDevices/a/name",
	 "'%d%d' must have '%d' once, and no other '%'"},
	{LINUX, "'netDevices':{'a':{'name':'b'},'b':{}}", "/linux/netDevices/b",
	 "interface name 'b' given twice"},
	{LINUX, "'cgroupsPath':'/a/../b'", "/linux/cgroupsPath", "must not contain '..', as '/a/../b' does"},
	{LINUX, "'cgroupsPath':'..'", "/linux/cgroupsPath", "must not contain '..', as '..' does"},
	{LINUX, "'rootfsPropagation':'both'", "/linux/rootfsPropagation", "unknown propagation 'both'"},
	{LINUX, "'maskedPaths':['/a']", "/linux/maskedPaths", "needs a mount namespace in /linux/namespaces"},
	{LINUX, "'readonlyPaths':['/a']", "/linux/readonlyPaths",
	 "needs a mount namespace in /linux/namespaces"},
	{LINUX, "'maskedPaths':['/a','b']", "/linux/maskedPaths/1", "must be an absolute path, not 'b'"},
	{LINUX, "'readonlyPaths':['']", "/linux/readonlyPaths/0", "must be an absolute path, not ''"},
	{LINUX, "'personality':{}", "/linux/personality/domain", "is required"},
	{LINUX, "'personality':{'domain':'BSD'}", "/linux/personality/domain",
	 "unknown personality domain 'BSD'"},
	{LINUX, "'personality':{'domain':'LINUX','flags':['X']}", "/linux/personality/flags/0",
	 "unknown personality flag 'X'"},
	{LINUX, "'intelRdt':{'closID':'a/b'}", "/linux/intelRdt/closID",
	 "must be '/' or a directory's name, not 'a/b'"},
	{LINUX, "'intelRdt':{'closID':'..'}", "/linux/intelRdt/closID",
	 "must be '/' or a directory's name, not '..'"},
	{LINUX, "'intelRdt':{'memBwSchema':'L3:0=f'}", "/linux/intelRdt/memBwSchema",
	 "must begin with 'MB:', not be 'L3:0=f'"},
	{LINUX, "'intelRdt':{'memBwSchema':'MB:0=1\\n'}", "/linux/intelRdt/memBwSchema",
	 "must be a single line that is not empty"},
	{LINUX, "'intelRdt':{'l3CacheSchema':'L3:0=f\\nMB:0=1'}", "/linux/intelRdt/l3CacheSchema",
	 "must be a single line that is not empty"},
	{LINUX, "'intelRdt':{'schemata':['L3:0=f','']}", "/linux/intelRdt/schemata/1",
	 "must be a single line that is not empty"},
	{LINUX, "'memoryPolicy':{}", "/linux/memoryPolicy/mode", "is required"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_X'}", "/linux/memoryPolicy/mode",
	 "unknown memory policy 'MPOL_X'"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_DEFAULT','nodes':'0'}", "/linux/memoryPolicy/nodes",
	 "MPOL_DEFAULT accepts no nodes"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_LOCAL','nodes':'0'}", "/linux/memoryPolicy/nodes",
	 "MPOL_LOCAL accepts no nodes"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_BIND'}", "/linux/memoryPolicy/nodes",
	 "MPOL_BIND needs at least one node"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_WEIGHTED_INTERLEAVE','nodes':''}", "/linux/memoryPolicy/nodes",
	 "MPOL_WEIGHTED_INTERLEAVE needs at least one node"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_BIND','nodes':' '}", "/linux/memoryPolicy/nodes",
	 "MPOL_BIND needs at least one node"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0,1024'}", "/linux/memoryPolicy/nodes",
	 "a node number is 1024 or larger"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'x'}", "/linux/memoryPolicy/nodes",
	 "must be a list like \\0-3,7\\, not 'x'"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_X']}",
	 "/linux/memoryPolicy/flags/0", "unknown memory policy flag 'MPOL_F_X'"},
	{LINUX,
	 "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_STATIC_NODES','MPOL_F_RELATIVE_NODES'"
	 "]}",
	 "/linux/memoryPolicy/flags", "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES must not be combined"},
	{LINUX, "'memoryPolicy':{'mode':'MPOL_INTERLEAVE','nodes':'0','flags':['MPOL_F_NUMA_BALANCING']}",
	 "/linux/memoryPolicy/flags",
	 "MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY, not MPOL_INTERLEAVE"},
	{LINUX, "'sysctl':{'net.ipv4.ip_forward':1}", "/linux/sysctl/net.ipv4.ip_forward",
	 "must be a string, not a number"},
	{LINUX, "'sysctl':{'net/ipv4/ip_forward':'1'}", "/linux/sysctl/net~1ipv4~1ip_forward",
	 "sysctl 'net/ipv4/ip_forward' needs a network namespace in /linux/namespaces"},
	{LINUX, "'sysctl':{'kernel.sem':'1'}", "/linux/sysctl/kernel.sem",
	 "sysctl 'kernel.sem' needs an ipc namespace in /linux/namespaces"},
	{LINUX, "'sysctl':{'user.max_mnt_namespaces':'1'}", "/linux/sysctl/user.max_mnt_namespaces",
	 "sysctl 'user.max_mnt_namespaces' needs a user namespace in /linux/namespaces"},
	{LINUX, "'sysctl':{'kernel.domainname':'1'}", "/linux/sysctl/kernel.domainname",
	 "sysctl 'kernel.domainname' needs a uts namespace in /linux/namespaces"},
	{LINUX, "'sysctl':{'kernel.hostname':'1'},'namespaces':[{'type':'uts'}]",
	 "/linux/sysctl/kernel.hostname", "must not be set: use the property /hostname"},
	{LINUX, "'sysctl':{'vm.swappiness':'1'}", "/linux/sysctl/vm.swappiness",
	 "sysctl 'vm.swappiness' belongs to no namespace: it would change the host"},
	{LINUX, "'sysctl':{'net/../vm/swappiness':'1'}", "/linux/sysctl/net~1..~1vm~1swappiness",
	 "'net/../vm/swappiness' is not a valid name of a sysctl"},
	{LINUX, "'namespaces':[{'type':'network'}],'sysctl':{'net.a.b':'1','net/a/b':'1'}",
	 "/linux/sysctl/net~1a~1b", "sysctl 'net/a/b' given twice"},
};

static const struct bad bad_resources[] = {
	{LINUX, "'resources':[]", "/linux/resources", "must be an object, not an array"},
	{RESOURCES, "'devices':[{}]", "/linux/resources/devices/0/allow", "is required"},
	{RESOURCES, "'devices':[{'allow':true,'type':'u'}]", "/linux/resources/devices/0/type",
	 "must be 'a', 'b' or 'c', not 'u'"},
	{RESOURCES, "'devices':[{'allow':true,'access':'rx'}]", "/linux/resources/devices/0/access",
	 "must consist of 'r', 'w' and 'm', not 'rx'"},
	{RESOURCES, "'devices':[{'allow':true,'access':''}]", "/linux/resources/devices/0/access",
	 "must consist of 'r', 'w' and 'm', not ''"},
	{RESOURCES, "'devices':[{'allow':true,'major':-2}]", "/linux/resources/devices/0/major",
	 "must be from -1 to 4095, not -2"},
	{RESOURCES, "'memory':{'limit':-2}", "/linux/resources/memory/limit",
	 "must be from -1 to 9223372036854775807, not -2"},
	{RESOURCES, "'memory':{'swap':9223372036854775808}", "/linux/resources/memory/swap",
	 "must be from -1 to 9223372036854775807, not 9223372036854775808"},
	{RESOURCES, "'memory':{'swappiness':101}", "/linux/resources/memory/swappiness",
	 "must be from 0 to 100, not 101"},
	{RESOURCES, "'memory':{'useHierarchy':0}", "/linux/resources/memory/useHierarchy",
	 "must be a boolean, not a number"},
	{RESOURCES, "'cpu':{'quota':10,'burst':11}", "/linux/resources/cpu/burst",
	 "must not be above the quota of 10, not 11"},
	{RESOURCES, "'cpu':{'cpus':'1-0'}", "/linux/resources/cpu/cpus",
	 "must be a list like \\0-3,7\\, not '1-0'"},
	{RESOURCES, "'cpu':{'idle':2}", "/linux/resources/cpu/idle", "must be from 0 to 1, not 2"},
	{RESOURCES, "'cpu':{'shares':-1}", "/linux/resources/cpu/shares",
	 "must be from 0 to 18446744073709551615, not -1"},
	{RESOURCES, "'pids':{}", "/linux/resources/pids/limit", "is required"},
	{RESOURCES, "'pids':{'limit':-2}", "/linux/resources/pids/limit",
	 "must be from -1 to 9223372036854775807, not -2"},
	{RESOURCES, "'blockIO':{'weight':9}", "/linux/resources/blockIO/weight",
	 "must be 0, or from 10 to 1000, not 9"},
	{RESOURCES, "'blockIO':{'leafWeight':1001}", "/linux/resources/blockIO/leafWeight",
	 "must be 0, or from 10 to 1000, not 1001"},
	{RESOURCES, "'blockIO':{'leafWeight':65536}", "/linux/resources/blockIO/leafWeight",
	 "must be from 0 to 65535, not 65536"},
	{RESOURCES, "'blockIO':{'weightDevice':[{'major':8,'minor':0}]}",
	 "/linux/resources/blockIO/weightDevice/0", "needs a weight or a leafWeight"},
	{RESOURCES, "'blockIO':{'weightDevice':[{'major':8,'weight':10}]}",
	 "/linux/resources/blockIO/weightDevice/0/minor", "is required"},
	{RESOURCES, "'blockIO':{'throttleReadIOPSDevice':[{'major':8,'minor':0}]}",
	 "/linux/resources/blockIO/throttleReadIOPSDevice/0/rate", "is required"},
	{RESOURCES, "'hugepageLimits':[{'limit':1}]", "/linux/resources/hugepageLimits/0/pageSize",
	 "is required"},
	{RESOURCES, "'hugepageLimits':[{'pageSize':'2MB'}]", "/linux/resources/hugepageLimits/0/limit",
	 "is required"},
	{RESOURCES, "'hugepageLimits':[{'limit':1,'pageSize':'64kB'}]",
	 "/linux/resources/hugepageLimits/0/pageSize",
	 "must be a size like '64KB', '2MB' or '1GB', not '64kB'"},
	{RESOURCES, "'hugepageLimits':[{'limit':1,'pageSize':'02MB'}]",
	 "/linux/resources/hugepageLimits/0/pageSize",
	 "must be a size like '64KB', '2MB' or '1GB', not '02MB'"},
	{RESOURCES, "'hugepageLimits':[{'limit':1,'pageSize':'2'}]",
	 "/linux/resources/hugepageLimits/0/pageSize", "must be a size like '64KB', '2MB' or '1GB', not '2'"},
	{RESOURCES, "'network':{'classID':4294967296}", "/linux/resources/network/classID",
	 "must be from 0 to 4294967295, not 4294967296"},
	{RESOURCES, "'network':{'priorities':[{'name':'e'}]}", "/linux/resources/network/priorities/0/priority",
	 "is required"},
	{RESOURCES, "'rdma':{'m':{}}", "/linux/resources/rdma/m", "needs hcaHandles or hcaObjects"},
	{RESOURCES, "'rdma':{'m':{'hcaHandles':'many'}}", "/linux/resources/rdma/m/hcaHandles",
	 "must be a number, not a string"},
	{RESOURCES, "'unified':{'a/b':'1'}", "/linux/resources/unified/a~1b",
	 "the key must be the name of a file, not 'a/b'"},
	{RESOURCES, "'unified':{'..':'1'}", "/linux/resources/unified/..",
	 "the key must be the name of a file, not '..'"},
	{RESOURCES, "'unified':{'memory.max':1}", "/linux/resources/unified/memory.max",
	 "must be a string, not a number"},
	{LINUX, "'seccomp':{}", "/linux/seccomp/defaultAction", "is required"},
	{LINUX, "'seccomp':{'defaultAction':'ALLOW'}", "/linux/seccomp/defaultAction",
	 "unknown seccomp action 'ALLOW'"},
	{SECCOMP, "'defaultErrnoRet':1", "/linux/seccomp/defaultErrnoRet",
	 "SCMP_ACT_ALLOW cannot carry an errno"},
	{SECCOMP, "'architectures':['SCMP_ARCH_X86','x']", "/linux/seccomp/architectures/1",
	 "unknown seccomp architecture 'x'"},
	{SECCOMP, "'flags':['x']", "/linux/seccomp/flags/0", "unknown seccomp flag 'x'"},
	{SECCOMP, "'syscalls':[{'names':['a'],'action':'SCMP_ACT_NOTIFY'}]", "/linux/seccomp/listenerPath",
	 "is required by SCMP_ACT_NOTIFY"},
	{SECCOMP, "'listenerMetadata':'x'", "/linux/seccomp/listenerMetadata", "needs a listenerPath"},
	{SECCOMP, "'syscalls':[{'action':'SCMP_ACT_KILL'}]", "/linux/seccomp/syscalls/0/names", "is required"},
	{SECCOMP, "'syscalls':[{'names':[],'action':'SCMP_ACT_KILL'}]", "/linux/seccomp/syscalls/0/names",
	 "must name at least one system call"},
	{SECCOMP, "'syscalls':[{'names':['a',''],'action':'SCMP_ACT_KILL'}]",
	 "/linux/seccomp/syscalls/0/names/1", "must not be empty"},
	{SECCOMP, "'syscalls':[{'names':['a']}]", "/linux/seccomp/syscalls/0/action", "is required"},
	{SECCOMP, "'syscalls':[{'names':['a'],'action':'SCMP_ACT_KILL','errnoRet':1}]",
	 "/linux/seccomp/syscalls/0/errnoRet", "SCMP_ACT_KILL cannot carry an errno"},
	{SECCOMP, "'syscalls':[{'names':['a'],'action':'SCMP_ACT_NOTIFY','errnoRet':99999}]",
	 "/linux/seccomp/syscalls/0/errnoRet", "SCMP_ACT_NOTIFY cannot carry an errno"},
	{SECCOMP, "'syscalls':[{'names':['a'],'action':'SCMP_ACT_ERRNO','errnoRet':4096}]",
	 "/linux/seccomp/syscalls/0/errnoRet", "must be from 0 to 4095, not 4096"},
	{SECCOMP, "'syscalls':[{'names':['a'],'action':'SCMP_ACT_TRACE','errnoRet':65536}]",
	 "/linux/seccomp/syscalls/0/errnoRet", "must be from 0 to 65535, not 65536"},
	{SECCOMP,
	 "'syscalls':[{'names':['a'],'action':'SCMP_ACT_KILL','args':[{'value':1,'op':'SCMP_CMP_EQ'}]}]",
	 "/linux/seccomp/syscalls/0/args/0/index", "is required"},
	{SECCOMP,
	 "'syscalls':[{'names':['a'],'action':'SCMP_ACT_KILL','args':[{'index':6,'value':1,'op':'SCMP_CMP_EQ'}]"
	 "}]",
	 "/linux/seccomp/syscalls/0/args/0/index", "must be from 0 to 5, not 6"},
	{SECCOMP,
	 "'syscalls':[{'names':['a'],'action':'SCMP_ACT_KILL','args':[{'index':0,'value':1,'op':'EQ'}]}]",
	 "/linux/seccomp/syscalls/0/args/0/op", "unknown seccomp operator 'EQ'"},
};

static const char *const good_texts[] = {
	"'linux':{'namespaces':[{'type':'user','path':'/n'},{'type':'uts','path':''}]},'hostname':'h'",
	"'linux':{'devices':[{'type':'p','path':'/d','uid':1},{'type':'p','path':'/d/','uid':1,'gid':2},"
	"{'type':'p','path':'/./d','gid':2,'fileMode':3}]}",
	/* at the limits */
	"'process':{'oomScoreAdj':-0,'cwd':'/','user':{'uid':4294967294,'umask':0}}",
	"'process':{'oomScoreAdj':-1000,'cwd':'/','scheduler':{'policy':'SCHED_FIFO','priority':99}}",
	"'process':{'cwd':'/','scheduler':{'policy':'SCHED_ISO','nice':19}}",
	"'process':{'cwd':'/','scheduler':{'policy':'SCHED_DEADLINE','runtime':1,'deadline':1}}",
	"'process':{'cwd':'/','consoleSize':{'height':99999}}",
	"'linux':{'namespaces':[{'type':'time'}],'timeOffsets':{'monotonic':{'secs':-9223372036854775808},"
	"'boottime':{'secs':9223372036854775807}}}",
	"'linux':{'resources':{'cpu':{'quota':10,'burst':10}}}",
	"'linux':{'resources':{'cpu':{'quota':-1,'burst':10,'cpus':' 0 , 2-3 '}}}",
	"'linux':{'namespaces':[{'type':'user','path':'/n'}],'uidMappings':[" ID0 "]}",
	"'linux':{'namespaces':[{'type':'user','path':'/n'}]}",
	"'linux':{'memoryPolicy':{'mode':'MPOL_PREFERRED'}}",
	"'linux':{'intelRdt':{'closID':'/'}}",
	"'linux':{'cgroupsPath':'system.slice:tare:..a'}",
	"'linux':{'netDevices':{'a23456789abcdef':{},'b':{'name':'x%d'},'c':{'name':'x%d'}}}",
	"'linux':{'namespaces':[{'type':'network','path':'/n'}],'sysctl':{'net.core.somaxconn':'1'}}",
	"'linux':{'namespaces':[{'type':'user','path':'/n'}]},'mounts':[{'destination':'/"
	"a','options':['idmap']}]",
	"'mounts':[{'destination':'/a','options':['idmap'],'uidMappings':[" ID0 "],'gidMappings':[" ID0 "]}]",
	/* unknown properties with any value */
	"'vm':{'a':[1e999,{'\\ud83d\\ude00':null}]},'solaris':1,'linux':{'x':{'y':0}},'Root':{}",
	"'annotations':{'a~/b':'\\u00e4\xe2\x82\xac\xf0\x9f\x98\x80\\ud83d\\ude00\\\\u0000'}",
};

static int parse(const char *frame, const char *text, struct err *err)
{
	_cleanup_buf_ struct buf buf = {0};
	_cleanup_free_ char *json = NULL;
	_cleanup_spec_ struct spec *spec = NULL;
	int r;

	buf_format(&buf, frame, text);
	json = json_text(buf.data == NULL ? "" : buf.data);
	r = spec_parse(json, strlen(json), &spec, err);
	CHECK_INT(spec == NULL, r < 0);
	return r;
}

static void test_bad(const struct bad *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct bad *bad = &cases[i];
		struct err err = {0};
		/* In the tables a backslash stands for ", because json_text replaces '. */
		char msg[sizeof err.msg];
		bool is_good;

		str_format(msg, sizeof msg, "%s", bad->msg);
		if (strstr(msg, "\\u") == NULL)
			for (char *c = msg; *c != '\0'; c++)
				*c = *c == '\\' ? '"' : *c;
		is_good = CHECK_INT(parse(frames[bad->level], bad->text, &err), -EINVAL);
		is_good = CHECK_STR(err.json_pointer, bad->json_pointer) && is_good;
		is_good = CHECK_STR(err.msg, msg) && is_good;
		is_good = CHECK_INT(err.kind, ERR_CONFIG) && CHECK_INT(err.errnum, 0) && is_good;
		if (!is_good)
			fprintf(stderr, "\tfor %s\n", bad->text);
	}
}

static void test_good(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good_texts); i++) {
		struct err err = {0};

		if (!CHECK_INT(parse(frames[TOP], good_texts[i], &err), 0))
			fprintf(stderr, "\t%s: %s\n\tfor %s\n", err.json_pointer, err.msg, good_texts[i]);
	}
}

static void test_hint(void)
{
	struct err err = {0};

	parse(frames[PROCESS], "'ioPriority':{'class':'x'}", &err);
	CHECK_STR(err.hint, "known: IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE");
	parse(frames[SECCOMP], "'architectures':['x']", &err);
	CHECK_STR(err.hint, "");
}

static void test_process_document(void)
{
	static const struct bad cases[] = {
		{WHOLE, "{'cwd':'/'}", "/args", "is required"},
		{WHOLE, "{'cwd':'/','args':null}", "/args", "is required"},
		{WHOLE, "{'cwd':'/','args':[]}", "/args", "must not be empty"},
		{WHOLE, "{'args':['a']}", "/cwd", "is required"},
		{WHOLE, "[]", "", "must be an object, not an array"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *json = json_text(cases[i].text);
		struct spec *spec = NULL;
		struct err err = {0};

		CHECK_INT(spec_parse_process(json, strlen(json), &spec, &err), -EINVAL);
		CHECK_STR(err.json_pointer, cases[i].json_pointer);
		CHECK_STR(err.msg, cases[i].msg);
	}
}

static void collect(void *context, const struct err *finding)
{
	buf_format(context, "%s%s\n", finding->kind == ERR_NONE ? "note " : "", finding->json_pointer);
}

static void test_all(void)
{
	_cleanup_free_ char *json = json_text(
		"{'root':{},'hostname':'h','x':1,'x':2,'process':{'args':[],'env':['A'],'oomScoreAdj':9999},"
		"'linux':{'sysctl':{'vm.x':'1','net.x':'1'},'maskedPaths':['/"
		"a'],'devices':[{'type':'c'},{'path':5}]}}");
	_cleanup_buf_ struct buf got = {0};
	struct spec *spec = NULL;

	CHECK_INT(spec_parse_all(json, strlen(json), collect, &got, &spec), 14);
	CHECK(spec == NULL);
	CHECK_STR(got.data,
		  "/x\n/root/path\nnote /x\nnote /x\n"
		  "/process/args\n/process/env/0\n/process/oomScoreAdj\n/process/cwd\n"
		  "/linux/sysctl/vm.x\n/linux/devices/0/path\n/linux/devices/1/path\n/linux/devices/1/type\n"
		  "/ociVersion\n/hostname\n/linux/maskedPaths\n/linux/sysctl/net.x\n");
}

int main(void)
{
	test_bad(bad_texts, ARRAY_SIZE(bad_texts));
	test_bad(bad_tops, ARRAY_SIZE(bad_tops));
	test_bad(bad_processes, ARRAY_SIZE(bad_processes));
	test_bad(bad_linuxes, ARRAY_SIZE(bad_linuxes));
	test_bad(bad_resources, ARRAY_SIZE(bad_resources));
	test_good();
	test_hint();
	test_process_document();
	test_all();
	UNIT_MAIN_END;
}
