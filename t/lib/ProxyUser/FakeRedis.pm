package ProxyUser::FakeRedis;

# Stands between nginx and a real redis-server and misbehaves when told to.
# It never invents an answer that a test could mistake for a good one: what
# it does not spoil, the real server has said.
#
#   my $fake = fake_redis($redis);        pass everything on; $fake->{port}
#   $fake->mode('silence');               from now on, for every command
#   $fake->mode('loading', on => 'EVALSHA', times => 1);
#   $fake->mode('reply', bytes => ":1\r\n", on => 'XREAD');
#   $fake->mode('pass');
#   $fake->commands;                      [ [ 'AUTH', ... ], ... ] so far
#   $fake->count('EVALSHA'), $fake->connections
#
# Modes:
#   pass       the real answer             silence    none, connection kept
#   refuse     nobody listens              close      none, connection closed
#   cut        half of it, then closed     slow       one byte a second
#   delay      after "seconds"             reply      "bytes"
#   garbage huge deep nil integer status empty          well or badly formed,
#                                          and never what was asked for
#   loading readonly masterdown noauth wrongpass noperm oom noscript moved
#                                          the server's own error lines

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Redis qw(encode_command free_port);

our @EXPORT = qw(fake_redis);

my $json = JSON::PP->new->latin1->canonical;
my @started;

my %reply = (
    garbage    => "\x00\xffGET / HTTP/1.0\r\n\r\n",
    huge       => "\$999999999999\r\n",
    deep       => "*1\r\n" x 1000 . ":1\r\n",
    nil        => "\$-1\r\n",
    integer    => ":1\r\n",
    status     => "+OK\r\n",
    empty      => "*0\r\n",
    loading    => "-LOADING Redis is loading the dataset in memory\r\n",
    readonly   => "-READONLY You can't write against a read only replica.\r\n",
    masterdown => "-MASTERDOWN Link with MASTER is down and "
                  . "replica-serve-stale-data is set to 'no'.\r\n",
    noauth     => "-NOAUTH Authentication required.\r\n",
    wrongpass  => "-WRONGPASS invalid username-password pair or user is "
                  . "disabled.\r\n",
    noperm     => "-NOPERM this user has no permissions to run the "
                  . "command\r\n",
    oom        => "-OOM command not allowed when used memory > "
                  . "'maxmemory'.\r\n",
    noscript   => "-NOSCRIPT No matching script. Please use EVAL.\r\n",
    moved      => "-MOVED 1234 127.0.0.1:1\r\n",
);


sub fake_redis {
    my ($redis) = @_;

    my $dir = File::Temp->newdir('proxy-user-fake-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, port => free_port(), owner => $$,
                       real => $redis->{socket}, turn => 0 };
    open my $log, '>', "$dir/commands" or die "$dir: $!\n";
    $self->mode('pass');

    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve };
        print STDERR "fake redis: $@" if $@;
        POSIX::_exit(1);
    }

    push @started, $self;
    $self->wait_turn;
    return $self;
}


# Takes effect before this returns.
sub mode {
    my ($self, $mode, %opt) = @_;

    die "no such mode: $mode\n"
        unless $reply{$mode} || $mode =~ /^(?:pass|silence|refuse|close|cut
                                            |slow|delay|reply)$/x;

    my $file = "$self->{dir}/mode";
    open my $out, '>', "$file.new" or die "$file: $!\n";
    print $out $json->encode({ %opt, mode => $mode,
                               turn => ++$self->{turn} });
    close $out;
    rename "$file.new", $file or die "$file: $!\n";

    $self->wait_turn if $self->{pid};
}


sub wait_turn {
    my ($self) = @_;

    for (1 .. 500) {
        return if -e "$self->{dir}/turn-$self->{turn}";
        sleep 0.01;
    }

    die "the fake redis does not answer\n";
}


sub lines {
    my ($self) = @_;

    open my $in, '<', "$self->{dir}/commands" or die "$self->{dir}: $!\n";
    return map { $json->decode($_) } <$in>;
}


sub commands { [grep { $_->[0] ne 'connected' } $_[0]->lines] }

sub connections { scalar grep { $_->[0] eq 'connected' } $_[0]->lines }

sub count {
    my ($self, $name) = @_;

    return scalar grep { uc $_->[0] eq uc $name } @{ $self->commands };
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;
    kill KILL => $pid;
    waitpid $pid, 0;
}


sub stop_all {
    for (@started) {
        $_->stop if $_->{owner} == $$;
    }

    @started = ();
}


# Below: the child.

sub serve {
    my ($self) = @_;

    open $self->{log}, '>>', "$self->{dir}/commands" or die "$!\n";
    $self->{log}->autoflush;
    $self->{select} = IO::Select->new;
    $self->{peer} = {};

    while (getppid() == $self->{owner}) {
        $self->obey;

        for my $socket ($self->{select}->can_read(0.01)) {
            if ($self->{listener} && $socket == $self->{listener}) {
                $self->greet($socket->accept);
            } else {
                $self->take($socket);
            }
        }

        my @peer = values %{ $self->{peer} };
        for my $peer (@peer) {
            1 while !$peer->{gone} && $self->step($peer);
        }
    }
}


# The mode may have changed.
sub obey {
    my ($self) = @_;

    open my $in, '<', "$self->{dir}/mode" or die "mode: $!\n";
    my $mode = $json->decode(scalar <$in>);
    my $turn = $self->{now} ? $self->{now}{turn} : 0;
    return if $mode->{turn} == $turn;

    $self->{now} = $mode;

    if ($mode->{mode} eq 'refuse') {
        my @peer = values %{ $self->{peer} };
        $self->forget($_) for @peer;
        if (my $listener = delete $self->{listener}) {
            $self->{select}->remove($listener);
            close $listener;
        }

    } elsif (!$self->{listener}) {
        $self->{listener} = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $self->{port},
            Listen => 64, ReuseAddr => 1) or die "port: $!\n";
        $self->{select}->add($self->{listener});
    }

    open my $done, '>', "$self->{dir}/turn-$mode->{turn}" or die "$!\n";
}


sub greet {
    my ($self, $socket) = @_;

    my $real = IO::Socket::UNIX->new(Peer => $self->{real});
    return close $socket unless $real;

    my $peer = { client => $socket, real => $real, in => '', out => '' };
    $self->{peer}{fileno $socket} = $peer;
    $self->{of}{fileno $_} = $peer for $socket, $real;
    $self->{select}->add($socket, $real);
    print { $self->{log} } $json->encode(['connected']), "\n";
}


sub forget {
    my ($self, $peer) = @_;

    $peer->{gone} = 1;
    $self->{select}->remove($peer->{client}, $peer->{real});
    delete $self->{peer}{fileno $peer->{client}};
    delete $self->{of}{fileno $_} for $peer->{client}, $peer->{real};
    close $_ for $peer->{client}, $peer->{real};
}


sub take {
    my ($self, $socket) = @_;

    my $peer = $self->{of}{fileno($socket) // -1} or return;
    my $from = $socket == $peer->{client} ? 'in' : 'out';
    my $n = sysread $socket, $peer->{$from}, 65536, length $peer->{$from};

    $self->forget($peer) unless $n;
}


# Moves one connection on: its next command, or the answer to the last one.
# True when there was something to do.
sub step {
    my ($self, $peer) = @_;

    return $self->drip($peer) if $peer->{slow};

    if ($peer->{waiting}) {
        my $size = reply_size($peer->{out}) or return 0;
        my $answer = substr $peer->{out}, 0, $size, '';
        $self->give($peer, delete $peer->{waiting}, $answer);
        return 1;
    }

    return 0 if $peer->{mute};
    my ($size, @word) = command_size($peer->{in});
    return 0 unless $size;

    my $bytes = substr $peer->{in}, 0, $size, '';

    # The script is long: to write it down takes more time than it has.
    my @short = map { length $_ > 5000 ? substr($_, 0, 100) . '...' : $_ }
        @word;
    print { $self->{log} } $json->encode(\@short), "\n";
    my $fault = $self->fault($word[0]);

    if ($fault->{mode} eq 'silence') {
        $peer->{mute} = 1;
    } elsif ($fault->{mode} eq 'close') {
        $self->forget($peer);
    } elsif ($reply{ $fault->{mode} }) {
        send_all($peer->{client}, $reply{ $fault->{mode} });
    } elsif ($fault->{mode} eq 'reply') {
        send_all($peer->{client}, $fault->{bytes});
    } else {
        send_all($peer->{real}, $bytes);
        $peer->{waiting} = $fault;
    }

    return 1;
}


sub fault {
    my ($self, $name) = @_;

    my $now = $self->{now};
    my $spoil = !defined $now->{on} || $name =~ /^(?:$now->{on})$/i;
    $spoil = 0 if defined $now->{times} && $spoil && $now->{times}-- <= 0;

    return $spoil ? { %$now } : { mode => 'pass' };
}


sub give {
    my ($self, $peer, $fault, $answer) = @_;

    if ($fault->{mode} eq 'cut') {
        send_all($peer->{client}, substr $answer, 0, length($answer) / 2);
        $self->forget($peer);

    } elsif ($fault->{mode} eq 'slow') {
        $peer->{slow} = $answer;
        $peer->{next} = 0;

    } elsif ($fault->{mode} eq 'delay') {
        $peer->{slow} = $answer;
        $peer->{whole} = 1;
        $peer->{next} = time + $fault->{seconds};

    } else {
        send_all($peer->{client}, $answer);
    }
}


sub drip {
    my ($self, $peer) = @_;

    return 0 if time < $peer->{next};

    my $n = delete $peer->{whole} ? length $peer->{slow} : 1;
    send_all($peer->{client}, substr $peer->{slow}, 0, $n, '');
    $peer->{next} = time + 1;
    delete $peer->{slow} if $peer->{slow} eq '';
    return 1;
}


sub send_all {
    my ($socket, $bytes) = @_;

    while ($bytes ne '') {
        my $n = syswrite $socket, $bytes;
        return unless $n;
        substr $bytes, 0, $n, '';
    }
}


# Length and words of the first whole command, or nothing.
sub command_size {
    my ($bytes) = @_;

    $bytes =~ /\G\*(\d+)\r\n/gc or return;
    my ($n, @word) = $1;

    for (1 .. $n) {
        $bytes =~ /\G\$(\d+)\r\n/gc or return;
        my $at = pos $bytes;
        return if length($bytes) < $at + $1 + 2;
        push @word, substr $bytes, $at, $1;
        pos($bytes) = $at + $1 + 2;
    }

    return (pos $bytes, @word);
}


# Length of the first whole reply, or 0.
sub reply_size {
    my ($bytes) = @_;

    my $at = 0;
    my $left = 1;

    while ($left > 0) {
        pos($bytes) = $at;
        $bytes =~ /\G([-+:*\$])([^\r]*)\r\n/gc or return 0;
        $at = pos $bytes;
        $left--;

        if ($1 eq '*') {
            $left += $2 if $2 > 0;
        } elsif ($1 eq '$' && $2 >= 0) {
            $at += $2 + 2;
            return 0 if length($bytes) < $at;
        }
    }

    return $at;
}


1;
