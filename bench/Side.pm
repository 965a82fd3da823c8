package Side;

# Two gates side by side: the same backend, token and number of connections,
# first the one, then the other, the other, the one. Whatever the gate consists
# of (nginx, Node, Apache, Redis) runs on one processor and its CPU time is
# added up; client and backend have the other.
#
#   my $side = side($nginx, uri => '/', token => $t or \@tokens,
#                   header => 'X-API-Key: ', connections => 16,
#                   also => [ more pids ]);
#   my ($cpu, $rate) = paired($status, $rounds, $seconds, $base, $side);
#                                    as abba: us a request, requests a second
#   my $status = backend_status($backend);     counts for all alike
#   answer($side, $token)            the status of one request
#   answer($side)                    of one without a credential
#   all_cold($side)                  dies if a second pass finds one cached
#   distinct(500, 'ES256', sub { caller_token($_[0], alg => $_[1]) })
#   start_program($ready, @command)  { pid }, on the gate's processor
#   memory($pid, 'RssAnon')          KiB

use strict;
use warnings;

use Bench;
use Exporter qw(import);
use IO::Select;
use POSIX ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
    side paired backend_status answer all_cold distinct start_program memory
);

my @programs;


# The workers get their processor here; of two, the second gets the other.
sub side {
    my ($nginx, %opt) = @_;

    my @worker = $nginx->isa('ProxyUser::Nginx')
        ? workers($nginx, $opt{workers}) : ();
    pin($worker[$_], $_ ? 'load' : 'gate') for 0 .. $#worker;

    return { port => $nginx->{port}, uri => '/', %opt, nginx => $nginx,
             pids => [@worker, @{ $opt{also} // [] }] };
}


# nginx waits longer for a second request than for a first.
sub backend_status {
    my $status = connection({ port => $_[0] =~ s/.*://r });
    requests($status);
    return $status;
}


sub requests {
    my ($status) = @_;

    my (undef, undef, $text) = fetch($status, '/requests');
    return $text =~ /^ \d+ \d+ (\d+) $/m ? $1 : die "no count: $text\n";
}


# Every thread: what Node and Apache do is done by several.
sub cpu_of {
    my ($side) = @_;

    my $ns = 0;

    for my $pid (@{ $side->{pids} }) {
        for my $file (glob "/proc/$pid/task/*/schedstat") {
            $ns += (split ' ', read_file($file))[0] // 0;
        }
    }

    return $ns;
}


sub paired {
    my ($status, $rounds, $seconds, @side) = @_;

    my @load = map { waiting($_) } @side;
    run($status, 1, $_) for @load;      # a compiler at run time has its say
    my ($cpu, $rate) = abba($rounds, map {
        my $load = $_;
        sub { run($status, $seconds, $load) }
    } @load);

    for (@load) {
        my $end = end_load($_);
        die "$end->{refused} refusals from $_->{side}{uri}\n"
            if $end->{refused};
    }

    return ($cpu, $rate);
}


# A client that stands still once it has all its connections.
sub waiting {
    my ($side) = @_;

    my $load = start_load($side, $side->{uri}, $side->{token}, seconds => 900,
                          map { ($_ => $side->{$_}) }
                          grep { defined $side->{$_} } qw(header connections));
    sleep 0.5 + ($side->{connections} // 0) / 2000;
    kill STOP => $load->{pid};
    $load->{side} = $side;
    return $load;
}


sub run {
    my ($status, $seconds, $load) = @_;

    my $side = $load->{side};

    # On a busy machine a client may not get its turn at all.
    for (1 .. 20) {
        my ($requests, $ns, $start)
            = (requests($status), cpu_of($side), time);

        kill CONT => $load->{pid};
        sleep $seconds;
        kill STOP => $load->{pid};

        my $took = time - $start;
        sleep 0.01;
        $ns = cpu_of($side) - $ns;
        $requests = requests($status) - $requests - 1;

        return ($ns / $requests / 1000, $requests / $took)
            if $requests > 50;
    }

    die "no requests come through $side->{uri}\n";
}


sub answer {
    my ($side, $token) = @_;

    my $c = connection($side);
    my ($status) = fetch($c, $side->{uri}, $token, $side->{header});
    close $c;
    return $status;
}


# Each is asked for once, and a second time when the last has been: then none
# may be known any more. X-Cache is as in until_warm.
sub all_cold {
    my ($side, $pattern) = @_;

    my $c = connection($side);
    my ($show, $header) = @$side{qw(show header)};

    for my $pass (0, 1) {
        for (@{ $side->{token} }) {
            my ($status, undef, $text) = fetch($c, $show, $_, $header);
            die "$show: $text\n" if $status ne '200';
            die "$show: one is still cached: $text\n"
                if $pass && $text !~ $pattern;
        }
    }

    close $c;
}


sub distinct {
    my ($n, $make) = @_;

    return [map { $make->($_) } 1 .. $n];
}


# Until it says what it says when it is ready; it ends with us.
sub start_program {
    my ($ready, @command) = @_;

    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { exec ProxyUser::Redis::mortal('TERM'), 'taskset', '-c',
          processor('gate'), @command }
        POSIX::_exit(127);
    }

    push @programs, my $program = { pid => $pid, out => $out };
    my $said = '';

    until (ref $ready eq 'CODE' ? $ready->() : $said =~ /$ready/) {
        die "$command[0] does not start: $said\n"
            if $program->{late}++ > 200;
        next unless IO::Select->new($out)->can_read(0.05);
        sysread $out, $said, 4096, length $said
            or die "$command[0] ends: $said\n";
    }

    return $program;
}


sub memory {
    my ($pid, $what) = @_;

    return read_file("/proc/$pid/status") =~ /^$what:\s+(\d+) kB$/m ? $1
        : die "no $what of $pid\n";
}


END {
    my $status = $?;

    for (@programs) {
        kill TERM => $_->{pid};
        waitpid $_->{pid}, 0;
    }

    $? = $status;
}


1;
