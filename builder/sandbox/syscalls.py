"""The system calls that a confined process may make; all others fail.

Left out on purpose: sockets, starting processes, everything that acts on other processes (signals, ``ptrace``, their
memory, their limits), kernel interfaces that act behind a filter's back (``io_uring``, ``bpf``, ``keyctl``, handles of
files), the owner, mode and times of files, which Landlock does not look after, mounts, modules, clocks.
"""

from __future__ import annotations

import platform

# name = number on x86-64 / number in Linux' generic table (arm64, RISC-V, LoongArch)
_table = """
read=0/63 write=1/64 open=2/ openat=257/56 creat=85/ close=3/57 close_range=436/436 stat=4/ fstat=5/80 lstat=6/
newfstatat=262/79 statx=332/291 poll=7/ ppoll=271/73 select=23/ pselect6=270/72 lseek=8/62 pread64=17/67
pwrite64=18/68 readv=19/65 writev=20/66 preadv=295/69 pwritev=296/70 preadv2=327/286 pwritev2=328/287 access=21/
faccessat=269/48 faccessat2=439/439 pipe=22/ pipe2=293/59 dup=32/23 dup2=33/ dup3=292/24 fcntl=72/25 flock=73/32
fsync=74/82 fdatasync=75/83 ftruncate=77/46 fallocate=285/47 getdents=78/ getdents64=217/61 getcwd=79/17 chdir=80/49
fchdir=81/50 rename=82/ renameat=264/38 renameat2=316/276 mkdir=83/ mkdirat=258/34 rmdir=84/ link=86/ linkat=265/37
unlink=87/ unlinkat=263/35 symlink=88/ symlinkat=266/36 readlink=89/ readlinkat=267/78 umask=95/166 statfs=137/43
fstatfs=138/44 sendfile=40/71 splice=275/76 tee=276/77 copy_file_range=326/285 sync_file_range=277/84
fadvise64=221/223 readahead=187/213 mmap=9/222 mprotect=10/226 munmap=11/215 brk=12/214 mremap=25/216 msync=26/227
mincore=27/232 madvise=28/233 mlock=149/228 mlock2=325/284 munlock=150/229 mlockall=151/230 munlockall=152/231
memfd_create=319/279 membarrier=324/283 mbind=237/235 get_mempolicy=239/236 set_mempolicy=238/237 pkey_alloc=330/289
pkey_free=331/290 pkey_mprotect=329/288 map_shadow_stack=453/453 mseal=462/462 rt_sigaction=13/134
rt_sigprocmask=14/135 rt_sigreturn=15/139 rt_sigpending=127/136 rt_sigtimedwait=128/137 rt_sigsuspend=130/133
sigaltstack=131/132 pause=34/ kill=62/129 tgkill=234/131 signalfd4=289/74 nanosleep=35/101 clock_nanosleep=230/115
clock_gettime=228/113 clock_getres=229/114 gettimeofday=96/169 time=201/ times=100/153 alarm=37/ getitimer=36/102
setitimer=38/103 timer_create=222/107 timer_settime=223/110 timer_gettime=224/108 timer_getoverrun=225/109
timer_delete=226/111 timerfd_create=283/85 timerfd_settime=286/86 timerfd_gettime=287/87 getpid=39/172
getppid=110/173 gettid=186/178 getuid=102/174 geteuid=107/175 getgid=104/176 getegid=108/177 getgroups=115/158
getresuid=118/148 getresgid=120/150 getpgid=121/155 getpgrp=111/ getsid=124/156 exit=60/93 exit_group=231/94
wait4=61/260 waitid=247/95 clone=56/220 execve=59/221 set_tid_address=218/96 set_robust_list=273/99
get_robust_list=274/100 rseq=334/293 futex=202/98 futex_waitv=449/449 futex_wake=454/454 futex_wait=455/455
futex_requeue=456/456 arch_prctl=158/ prctl=157/167 getrlimit=97/163 setrlimit=160/164 prlimit64=302/261
getrusage=98/165 sysinfo=99/179 uname=63/160 getcpu=309/168 sched_yield=24/124 sched_getaffinity=204/123
sched_setaffinity=203/122 sched_getparam=143/121 sched_getscheduler=145/120 sched_get_priority_max=146/125
sched_get_priority_min=147/126 sched_rr_get_interval=148/127 getpriority=140/141 capget=125/90
restart_syscall=219/128 getrandom=318/278 epoll_create=213/ epoll_create1=291/20 epoll_ctl=233/21 epoll_wait=232/
epoll_pwait=281/22 epoll_pwait2=441/441 eventfd=284/ eventfd2=290/19 socketpair=53/199 ioctl=16/29 clone3=435/435
openat2=437/437 io_uring_setup=425/425
"""
audit_arch = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3, "loongarch64": 0xC0000102}
seccomp_call = {"x86_64": 317}  # elsewhere 277
newest = 470  # calls from here on are newer than this table


def numbers(machine: str) -> dict[str, int]:
    """Return the numbers of the calls in the table by name, on the machine that ``platform.machine()`` calls so."""
    side = 0 if machine == "x86_64" else 1
    found = {}
    for entry in _table.split():
        name, _, both = entry.partition("=")
        number = both.split("/")[side]
        if number:
            found[name] = int(number)
    return found


def this_machine() -> str:
    """Return the name of this machine's architecture."""
    return platform.machine()
