package ProxyUser::Issuer;

# An issuer's web server for tests: it answers each path as it was told, well
# or badly, and counts who asks.
#
#   my $idp = fake_issuer();              $idp->{url}, $idp->{port}
#   $idp->on('/jwks', body => $text);     from now on
#   $idp->on('/jwks', mode => 'stall');
#   $idp->on('/a', status => 302, headers => { Location => '/b' });
#   $idp->count('/jwks'), $idp->requests  [ { line, headers, body }, ... ]
#   $idp->discovers(jwks(...))            a discovery document and its keys
#
# Modes:
#   answer     status, headers, body after "delay" seconds (the default)
#   stall      nothing, connection kept   close   nothing, connection closed
#   cut        half of the body, closed   raw     "bytes", closed
#   endless    a body without end (or of "blocks" of 8 KB)
#   drip       one byte a second

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use ProxyUser::Redis qw(free_port patience);

our @EXPORT = qw(fake_issuer);

my $json = JSON::PP->new->latin1->canonical;
my @started;


sub fake_issuer {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       Listen => 128, ReuseAddr => 1)
        or die "listen: $!\n";
    my $dir = File::Temp->newdir('proxy-user-issuer-XXXXXX', TMPDIR => 1);
    my $port = $listen->sockport;
    my $self = bless { dir => $dir, port => $port, owner => $$, paths => {},
                       url => "http://127.0.0.1:$port" };
    $self->write('requests', '');
    $self->write('paths', '{}');

    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM ALRM);
        $SIG{PIPE} = 'IGNORE';
        $SIG{CHLD} = 'IGNORE';
        eval { $self->serve($listen) };
        POSIX::_exit(1);
    }

    push @started, $self;
    return $self;
}


sub write {
    my ($self, $name, $text) = @_;

    my $file = "$self->{dir}/$name";
    open my $out, '>:raw', "$file.new" or die "$file: $!\n";
    print $out $text;
    close $out;
    rename "$file.new", $file or die "$file: $!\n";
}


sub read {
    my ($self, $name) = @_;

    open my $in, '<:raw', "$self->{dir}/$name" or return '';
    local $/;
    return <$in> // '';
}


# Takes effect for every request that comes after this.
sub on {
    my ($self, $path, %opt) = @_;

    $self->{paths}{$path} = { mode => 'answer', status => 200, body => '',
                              headers => {}, %opt };
    $self->write('paths', $json->encode($self->{paths}));
}


sub discovers {
    my ($self, $jwks, %opt) = @_;

    $self->on('/.well-known/openid-configuration', body => $json->encode(
        { issuer => $self->{url}, jwks_uri => "$self->{url}/jwks" }));
    $self->on('/jwks', body => $jwks, %opt);
}


sub requests {
    my ($self) = @_;

    return map { $json->decode($_) } split /\n/, $self->read('requests');
}


sub count {
    my ($self, $path) = @_;

    return scalar grep { $_->{line} =~ m{^\S+ \Q$path\E(?:\?\S*)? } }
        $self->requests;
}


sub wait_count {
    my ($self, $path, $n, $seconds) = @_;

    my $end = time + patience($seconds // 10);
    while (time < $end) {
        return 1 if $self->count($path) >= $n;
        sleep 0.02;
    }

    return 0;
}


sub serve {
    my ($self, $listen) = @_;

    while (getppid == $self->{owner}) {
        vec(my $read = '', fileno $listen, 1) = 1;
        select($read, undef, undef, 0.5) > 0 or next;
        my $socket = $listen->accept or next;

        my $pid = fork // next;
        if ($pid == 0) {
            alarm 60;
            $SIG{CHLD} = 'DEFAULT';
            close $listen;
            eval { 1 while $self->talk($socket) };
            POSIX::_exit(0);
        }

        close $socket;
    }
}


# One request; true when another may follow.
sub talk {
    my ($self, $socket) = @_;

    my $text = '';
    until ($text =~ /\r\n\r\n/) {
        sysread $socket, $text, 65536, length $text or return 0;
    }

    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($line, @header) = split /\r\n/, $head;
    my %header = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @header;
    while (length $body < ($header{'content-length'} // 0)) {
        sysread $socket, $body, 65536, length $body or return 0;
    }

    open my $log, '>>:raw', "$self->{dir}/requests" or die;
    syswrite $log, $json->encode({ line => $line, headers => \%header,
                                   body => $body }) . "\n";
    close $log;

    my ($path) = $line =~ m{^\S+ ([^ ?]*)};
    return $self->answer($socket, $json->decode($self->read('paths'))->{$path}
        // { mode => 'answer', status => 404, body => 'none',
             headers => {} });
}


sub answer {
    my ($self, $socket, $how) = @_;

    my $mode = $how->{mode};
    sleep $how->{delay} if $how->{delay};

    if ($mode eq 'stall') {
        sleep 60;
    }

    if ($mode eq 'close') {
        return 0;
    }

    if ($mode eq 'raw') {
        syswrite $socket, $how->{bytes};
        return 0;
    }

    my $body = $how->{body};
    my %header = ('Content-Type' => 'application/json',
                  'Content-Length' => length $body, %{ $how->{headers} });
    delete $header{'Content-Length'} if $mode eq 'endless';
    my $top = join "\r\n", "HTTP/1.1 $how->{status} X",
        (map { "$_: $header{$_}" } sort keys %header), '', '';

    if ($mode eq 'endless') {
        syswrite $socket, $top;
        for (1 .. $how->{blocks} // 2000) {
            syswrite $socket, $body x (1 + 8192 / (1 + length $body))
                or last;
        }

        return 0;
    }

    if ($mode eq 'cut') {
        syswrite $socket, $top . substr $body, 0, length($body) / 2;
        return 0;
    }

    if ($mode eq 'drip') {
        for (split //, $top . $body) {
            syswrite $socket, $_ or return 0;
            sleep 1;
        }
    }

    syswrite $socket, $top . $body;
    return 1;
}


# Whoever it talks to is talked to no longer either.
sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;
    kill KILL => -$pid;
    waitpid $pid, 0;
}


sub stop_all {
    $_->{owner} == $$ and $_->stop for @started;
    @started = ();
}


1;
