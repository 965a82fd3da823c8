# What the module's own code costs a warm request, in instructions, so that
# nobody makes it dearer unseen: counted by callgrind, in which a busy machine
# has no part, and compared with what is written down.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use ProxyUser::Nginx;

my $FILE = 'bench/instructions.txt';
my $PART = 0.03;

plan skip_all => 'the sanitizers have instructions of their own'
    unless $ENV{PROXY_USER_MODULE};

my %kept = read_file($FILE) =~ /^(\w+) +(\d+)$/mg;
my ($cc) = read_file($FILE) =~ /^# gcc (\d+)/m;

# What clang made has something of gcc's in it as well.
my $made = `readelf -p .comment $ENV{PROXY_USER_MODULE}`;
my ($major) = $made =~ /clang/ ? () : $made =~ /GCC: \(.*?\) (\d+)/;

plan skip_all => "$FILE was written with gcc $cc"
    unless $cc == ($major // 0);

my %got = do {
    local $ENV{BENCH_REQUESTS} = 200;
    `bench/instructions --own` =~ /^(\w+) +(\d+)$/mg;
};

is(join(' ', sort keys %got), join(' ', sort keys %kept), 'all were counted');

for my $name (sort keys %kept) {
    my ($new, $old) = ($got{$name} // 0, $kept{$name});

    ok(abs($new - $old) <= $PART * $old + 5,
       "$name: $new, and $old is written down")
        or diag("is that meant? then: bench/instructions --own, and $FILE");
}

done_testing();
