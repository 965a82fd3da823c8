# nginx -t with everything in its configuration, while one allocation of nginx
# or of the module is refused: it fails and says so, or leaves out a key and
# says so; it never ends by a signal, and never takes half of a line.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Everything;
use ProxyUser::Faults qw(memory_can_fail without_memory);
use Test::More;

use POSIX ();

plan skip_all => 'this nginx has a malloc of its own' unless memory_can_fail();

# What comes first is nginx's own, which does not look.
my $FIRST = 60;
my $STEP = $ENV{COVERAGE} ? 2 : 23;

# What is checked says so in the same log.
my $nginx = everything(expect => qr/./);
$nginx->stop;

# How many allocations there were, how it ended, and what it said.
sub checked {
    my ($at) = @_;
    return without_memory(\&check, $at, of => 'ng');
}

sub check {
    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { exec ProxyUser::Nginx::command($nginx->{root}), '-t' }
        POSIX::_exit(127);
    }

    my $text = do { local $/; <$out> } // '';
    close $out;
    return ($?, $text);
}


my ($all, $status, $said) = checked(1 << 40);
is $status, 0, 'with memory it is fine' or diag $said;
cmp_ok $all, '>', 500, 'and needs some';

my (%ended, @wrong);

for (my $at = $FIRST; $at < $all; $at += $STEP) {
    (undef, $status, $said) = checked($at);

    # What writes the coverage down at the end has no memory, either.
    next if $ENV{COVERAGE} && $said =~ /test is successful/;

    my $told = $status == 0 ? qr/\[warn\] .* is left out/ : qr/\[emerg\]/;
    $ended{$status}++;
    push @wrong, "$at: status $status: $said"
        if $status & 127 || $said !~ $told && $said !~ /malloc\(\d+\) failed/;
}

is scalar(@wrong), 0, 'whatever it lacks, it says so' or diag @wrong;
cmp_ok $ended{256} // 0, '>', 10, 'and fails';

done_testing;
