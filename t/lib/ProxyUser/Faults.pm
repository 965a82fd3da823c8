package ProxyUser::Faults;

# What every survived fault has in common: callers whose right answer is known
# beforehand, bounded load by them while something is broken, and one line of
# a table that says what became of it.
#
#   my $line = new_line('Redis: it hangs', nginx => $nginx, limit => 1.1);
#   run_load($line, callers => [ ... ], begin => sub { ... }, seconds => 2,
#            end => sub { ... });
#   $line->bad                  what must be 0, added up
#   table(@lines)               Markdown
#   my $so = shim('clock')      test/faults/clock.c, compiled
#
# A caller is a hash:
#   name      for the notes
#   ask       sub: method, uri, options of ProxyUser::Connection's ask
#   right     pattern of "status reason" as it has to be
#   also      pattern of what is right as well while the fault lasts
#   allow     may he ever be let in? He is only with an id in X-Id
#
# A line counts: sent, allowed (wrongly), refused (wrongly), unanswered (the
# connection ended without an answer), late, crashed (workers), back (ms).

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Nginx qw(read_file write_file);

our @EXPORT = qw(new_line run_load table shim memory_can_fail without_memory
    caller_of);

my $json = JSON::PP->new->utf8;
my %shim;
my @children;
my $owner = $$;


# Neither a sanitizer nor valgrind, which is a script before it, has a malloc
# that another one may stand in front of.
sub memory_can_fail {
    my ($program) = @_;

    $program //= ProxyUser::Nginx::binary();
    my ($file) = $program =~ m{/} ? $program
        : grep { -x } map { "$_/$program" } split /:/, $ENV{PATH};

    return read_file($file) !~ /\A#!|__asan_init/;
}


# What the code returns, after the number of allocations of the program that it
# starts. The one numbered "at" is refused; on: all that follow, too; of: only
# those that a file asks for whose name begins so are counted.
sub without_memory {
    my ($code, $at, %opt) = @_;

    my $shim = shim('memory');
    my $control = write_file('without-memory',
                             pack 'q5', -1, $at, $opt{on} // 0, 0, 0);
    my @got = do {
        local @ENV{qw(FAULT_MEMORY LD_PRELOAD)} = ($control, $shim);
        local $ENV{FAULT_MEMORY_OF} = $opt{of};
        delete $ENV{FAULT_MEMORY_OF} unless defined $opt{of};
        $code->();
    };

    return ((unpack 'q5', read_file($control))[3], @got);
}


# Compiled once for a process.
sub shim {
    my ($name) = @_;

    return $shim{$name} //= do {
        my $so = "$ProxyUser::Nginx::tmp/$name.so";
        system($ENV{CC} // 'cc', qw(-std=gnu11 -O1 -Wall -fPIC -shared -o),
               $so, "test/faults/$name.c") == 0
            or die "cannot compile test/faults/$name.c\n";
        $so;
    };
}


# nginx   whose workers and log are watched     limit   seconds
# changing   workers come and go by what the test does
# killed     the signal that it sends them
sub new_line {
    my ($name, %opt) = @_;

    my $self = bless {
        name => $name, limit => 1.1, %opt, sent => 0, allowed => 0,
        refused => 0, unanswered => 0, late => 0, crashed => 0, note => {},
    };

    my ($workers) = read_file("$self->{nginx}{root}/conf/nginx.conf")
        =~ /^worker_processes (\d+);/m;
    $self->{nginx}->mark;
    $self->{pids} = join ' ', sort $self->{nginx}->all_workers($workers);
    return $self;
}


sub bad {
    my ($self) = @_;

    my $sum = 0;
    $sum += $self->{$_} for qw(allowed refused late crashed);
    $sum += $self->{unanswered} unless $self->{killed} || $self->{excused};
    $sum++ if $self->{lost};
    return $sum;
}


sub note {
    my ($self, $text) = @_;

    $self->{note}{$text}++;
}

sub notes { map { "$_[0]{note}{$_} x $_" } sort keys %{ $_[0]{note} } }


# What an answer (or none) means; "strict" leaves no excuse.
sub judge {
    my ($self, $caller, $answer, $seconds, $strict) = @_;

    $self->{sent}++;
    my $got = $answer ? "$answer->{status} "
        . ($answer->{headers}{'x-reason'} // '') : 'no answer';

    if (!$answer) {
        $self->{unanswered}++;
    } elsif (let_in($answer) && !may_enter($caller, $answer)) {
        $self->{allowed}++;
    } elsif ($got !~ $caller->{right}
             && ($strict || $got !~ ($caller->{also} // qr/(?!)/))) {
        $self->{refused}++;
    } else {
        undef $got;
    }

    $self->note("$caller->{name}: $got") if defined $got;

    if ($seconds > $self->{limit}) {
        $self->{late}++;
        $self->note(sprintf '%s: %s after %.1f s', $caller->{name},
                    $answer ? $answer->{status} : 'nothing', $seconds);
    }
}


sub let_in { $_[0]{status} =~ /^2/ }


sub may_enter {
    my ($caller, $answer) = @_;

    return 0 unless $caller->{allow};
    return $caller->{check}->($answer) if $caller->{check};
    return ($answer->{headers}{'x-id'} // '') =~ ($caller->{id} // qr/^u_/);
}


# Whoever died of it. A worker that ended by itself has a new number.
sub count_crashes {
    my ($self) = @_;

    my $killed = $self->{killed} // 0;
    my @signal = grep { $_ != $killed }
        $self->{nginx}->log =~ /exited on signal (\d+)/g;
    my @code = $self->{nginx}->log =~ /exited with (?:fatal )?code ([1-9]\d*)/g;

    $self->{crashed} = @signal + @code;
    return if $self->{changing} || $self->{crashed};

    my $now = join ' ', sort $self->{nginx}->workers;
    $self->{crashed}++ if $now ne $self->{pids};
}


sub caller_of {
    my ($name, %opt) = @_;

    my $token = delete $opt{token};
    my $uri = delete $opt{uri} // '/';
    return {
        name => $name,
        ask => sub {
            my $t = ref $token ? $token->(@_) : $token;
            return ('GET', $uri, defined $t ? (token => $t) : ());
        },
        %opt,
    };
}


# Each client is a process with a connection of its own, which it keeps.
# per_second and most bound what one sends.
sub start_clients {
    my ($self, %opt) = @_;

    my @job;
    my $n = $opt{clients} // 2;

    for my $i (1 .. $n) {
        my $pid = open my $out, '-|';
        die "fork: $!\n" unless defined $pid;

        if ($pid == 0) {
            my $all = eval { client($self->{nginx}, $i, %opt) }
                // [ "client: $@" ];
            print $json->encode($all);
            close STDOUT;
            POSIX::_exit(0);
        }

        push @children, $pid;
        push @job, { pid => $pid, out => $out };
    }

    return @job;
}


sub client {
    my ($nginx, $i, %opt) = @_;

    my ($stop, $c, @said);
    my @caller = @{ $opt{callers} };
    my $pause = 1 / ($opt{per_second} // 100);
    $SIG{TERM} = sub { $stop = 1 };
    $SIG{ALRM} = 'DEFAULT';
    alarm 600;

    for my $n (0 .. ($opt{most} // 100_000)) {
        last if $stop || getppid == 1;
        my $which = $n % @caller;
        my ($method, $uri, %how) = $caller[$which]{ask}->("$i-$n");
        my ($start, $answer) = (time);

        # Whose keep-alive connection has ended meanwhile has lost nothing.
        for my $new (defined $c ? (0, 1) : 1) {
            $c = eval { $nginx->connect } if $new;
            last unless $c;
            $c->ask($method, $uri, %how);
            $answer = $c->answer(timeout => 10);
            last if $answer;
            $c->close;
            undef $c;
            last if time - $start > 5;
        }

        push @said, [$which, $answer && { status => $answer->{status},
            headers => { map { $_ => $answer->{headers}{$_} }
                             qw(x-reason x-id) } }, time - $start];
        undef $c if $answer
            && ($answer->{headers}{connection} // '') eq 'close';
        sleep $pause unless $stop;
    }

    return \@said;
}


sub end_clients {
    my ($self, $caller, @job) = @_;

    kill TERM => map { $_->{pid} } @job;

    for (@job) {
        my $text = do { local $/; readline $_->{out} } // '';
        close $_->{out};
        my $pid = $_->{pid};
        @children = grep { $_ != $pid } @children;

        for my $said (@{ $json->decode($text || '[]') }) {
            die "$said\n" unless ref $said;
            $self->judge($caller->[ $said->[0] ], @$said[1, 2]);
        }
    }
}


# The whole of it: load, the fault for "seconds", its end, the time until
# all of "back" (the callers, unless named) are answered rightly, more load,
# and every caller once more, without excuses.
sub run_load {
    my ($self, %opt) = @_;

    my @caller = @{ $opt{callers} };
    my @job = $self->start_clients(%opt);
    sleep 0.3;

    $opt{begin}->() if $opt{begin};
    $opt{during} ? $opt{during}->($opt{seconds}) : sleep $opt{seconds};
    $opt{end}->() if $opt{end};

    $self->wait_back($opt{back} // \@caller, $opt{patience} // 20);
    sleep 0.2;
    $self->end_clients(\@caller, @job);

    $self->judge(@$_, 1) for map { [$_, $self->ask_once($_, "end-$$-" . rand)] }
        @caller;
    $self->count_crashes;
}


# Each worker has connections and pauses of its own: everybody has to be
# answered rightly several times, one after the other.
sub wait_back {
    my ($self, $caller, $patience) = @_;

    my ($start, $n) = (time, 0);
    my $last = $start;
    my @left = (@$caller) x 8;

    while (@left) {
        if (time - $start > $patience) {
            $self->{lost} = 1;
            $self->note("$left[0]{name}: not well again");
            last;
        }

        my ($answer) = $self->ask_once($left[0], 'back-' . ++$n . rand);
        my $got = $answer ? "$answer->{status} "
            . ($answer->{headers}{'x-reason'} // '') : '';

        if ($got =~ $left[0]{right}) {
            shift @left;
            next;
        }

        @left = (@$caller) x 8;
        $last = time;
        sleep 0.01;
    }

    $self->{back} = int 1000 * ($last - $start);
}


sub ask_once {
    my ($self, $caller, $name) = @_;

    my ($method, $uri, %how) = $caller->{ask}->($name);
    my $start = time;
    my $answer = eval { $self->{nginx}->ask($method, $uri, %how) };
    return ($answer, time - $start);
}


sub table {
    my (@line) = @_;

    my @row = (['fault', 'requests', 'let in wrongly', 'refused wrongly',
                'no answer', 'too late', 'crashed', 'well again after, ms'],
               ['---', ('---:') x 7]);

    push @row, [$_->{name}, @$_{qw(sent allowed refused unanswered late
                                   crashed)},
                $_->{lost} ? 'never' : $_->{back} // '-'] for @line;
    return join '', map { '| ' . join(' | ', @$_) . " |\n" } @row;
}


END { kill KILL => @children if @children && $$ == $owner }


1;
