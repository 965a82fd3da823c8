package ProxyUser::Backend;

# A backend that says what it was sent: the body of its answer is the head of
# the request, byte for byte, so that a test sees names, values and order of
# headers as a real backend would. nginx's own variables cannot show that.
#
#   my $backend = start_backend();      $TEST_NGINX_ECHO in a configuration
#   headers_of($answer->{body})         [ [ 'Host', 'x' ], ... ] in order
#   $answer->{headers}{'x-body'}        length and MD5 of the request's body
#   $backend->heads                     what came so far, in order
#   $backend->count(qr{^GET /a })       how many of them look so
#   $backend->wait_for(qr{...}, 2)      a subrequest may come late

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Exporter qw(import);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Redis qw(free_port patience);

our @EXPORT = qw(start_backend headers_of);

my $json = JSON::PP->new->latin1->allow_nonref;
my @started;


sub start_backend {
    my $dir = File::Temp->newdir('proxy-user-backend-XXXXXX', TMPDIR => 1);
    my $port = free_port();
    my $self = bless { dir => $dir, port => $port, owner => $$ };

    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128,
        ReuseAddr => 1) or die "backend: $!\n";

    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve($listener) };
        print STDERR "backend: $@" if $@;
        POSIX::_exit(1);
    }

    push @started, $self;
    $ENV{TEST_NGINX_ECHO} = "http://127.0.0.1:$port";
    return $self;
}


sub headers_of {
    my ($head) = @_;

    my (undef, @line) = split /\r\n/, $head;
    return [map { [split /: ?/, $_, 2] } @line];
}


sub heads {
    my ($self) = @_;

    open my $in, '<', "$self->{dir}/heads" or return;
    return map { $json->decode($_) } <$in>;
}


sub count { scalar grep { $_ =~ $_[1] } $_[0]->heads }


sub wait_for {
    my ($self, $pattern, $seconds) = @_;

    my $end = time + patience($seconds // 3);
    until ($self->count($pattern)) {
        return 0 if time > $end;
        sleep 0.02;
    }

    return 1;
}


sub stop_all {
    for (@started) {
        next unless $_->{owner} == $$;
        kill KILL => $_->{pid};
        waitpid $_->{pid}, 0;
    }

    @started = ();
}


# Below: the child. One connection after the other is enough: nginx sends a
# request only when it has all of it.

sub serve {
    my ($self, $listener) = @_;

    open my $log, '>>', "$self->{dir}/heads" or die "$self->{dir}: $!\n";
    $log->autoflush;
    my $ready = IO::Select->new($listener);

    while (getppid() == $self->{owner}) {
        next unless $ready->can_read(0.2);
        my $socket = $listener->accept or next;
        answer($socket, $log);
        close $socket;
    }
}


sub answer {
    my ($socket, $log) = @_;

    my $bytes = '';
    until ($bytes =~ /\r\n\r\n/) {
        receive($socket, \$bytes) or return;
    }

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;

    while (length $body < ($length // 0)) {
        receive($socket, \$body) or return;
    }

    print $log $json->encode($head), "\n";
    my $text = $head =~ /\AHEAD / ? '' : $head;
    print $socket "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n",
        'Content-Length: ', length $head, "\r\n",
        'X-Body: ', length $body, ' ', md5_hex($body), "\r\n\r\n", $text;
}


sub receive {
    my ($socket, $bytes) = @_;

    return IO::Select->new($socket)->can_read(5)
        && sysread $socket, $$bytes, 65536, length $$bytes;
}


1;
