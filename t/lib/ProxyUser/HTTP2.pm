package ProxyUser::HTTP2;

# HTTP/2 without TLS, in two ways.
#
#   my $h2 = http2_client($port);       one request each, by curl: the same
#   $h2->ask('GET', '/a', headers => [ [ Accept => 'x' ] ], body => '...')
#                                       answer as from ProxyUser::Nginx's ask
#
#   my $c = $h2->connect;               one connection, many streams
#   my $id = $c->open(GET => '/a', [ Authorization => 'Bearer x' ], ...);
#   my $id = $c->open(POST => '/a', ..., { body => 'y' });
#   $c->reset($id);                     RST_STREAM
#   my %got = $c->answers($id, ...);    id => { status, body }, waits for
#                                       all of these or the end; "reset" has
#                                       the error code of a stream cut off
#   $c->write($bytes); $c->close
#
# Test::Nginx has a mode for HTTP/2, but writes "http2 on" for it, which nginx
# knows from 1.25.1. The frames are made here, since a test must be able to cut
# a stream off between two of them; header blocks are read only as far as the
# status.

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes ();

our @EXPORT = qw(http2_client);


sub http2_client {
    my ($port) = @_;

    return bless { port => $port };
}


sub ask {
    my ($self, $method, $uri, %opt) = @_;

    my @header = @{ $opt{headers} || [] };
    unshift @header, [Host => 'localhost']
        unless grep { lc $_->[0] eq 'host' } @header;
    push @header, [Authorization => "Bearer $opt{token}"]
        if defined $opt{token};

    # What curl would add by itself is not part of the test.
    my %given = map { lc $_->[0] => 1 } @header;
    push @header, map { [$_ => undef] } grep { !$given{lc $_} }
        qw(Accept User-Agent Content-Type Expect);

    my @word = ('curl', '-s', '-i', '--http2-prior-knowledge',
                '--max-time', $opt{timeout} // 10, '--path-as-is', '--globoff',
                $method eq 'HEAD' ? '-I' : ('-X', $method));
    push @word, map { ('-H', !defined $_->[1] ? "$_->[0]:"
                           : $_->[1] eq '' ? "$_->[0];"
                                           : "$_->[0]: $_->[1]") } @header;

    my $file;
    if (defined $opt{body}) {
        $file = File::Temp->new;
        print $file $opt{body};
        close $file;
        push @word, '--data-binary', '@' . $file->filename;
    }

    open my $out, '-|', @word, "http://127.0.0.1:$self->{port}$uri"
        or die "curl: $!\n";
    my $text = do { local $/; <$out> } // '';
    close $out;

    return { status => 0, headers => {}, body => '', raw => '',
             exit => $? >> 8 } unless $text =~ m{\AHTTP/2 };

    my ($status) = $text =~ /(\d\d\d)/;
    my ($top, $body) = split /\r\n\r\n/, $text, 2;
    my %header;

    for (split /\r\n/, $top) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;
        $header{$name} = defined $header{$name} ? "$header{$name}, $value"
                                                : $value;
    }

    return { status => $status, headers => \%header, body => $body // '',
             raw => $text, exit => $? >> 8 };
}


sub connect {
    my ($self) = @_;

    return ProxyUser::HTTP2::Connection->new($self->{port});
}


package ProxyUser::HTTP2::Connection;

use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9,
    END_STREAM => 1, END_HEADERS => 4, ACK => 1,
};

# The statuses of HPACK's static table, by the byte that stands for them.
my %indexed = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304,
               0x8c => 400, 0x8d => 404, 0x8e => 500);



sub new {
    my ($class, $port) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
        or die "cannot connect to nginx: $!\n";
    $socket->autoflush;

    my $self = bless { socket => $socket, in => '', next => 1,
                       stream => {} }, $class;

    # Windows so wide that no test waits for one.
    $self->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->frame(SETTINGS, 0, 0, pack 'nN', 4, 0x7fffffff);
    $self->frame(WINDOW_UPDATE, 0, 0, pack 'N', 0x7fff0000 - 65535);
    return $self;
}


sub write {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    return print { $self->{socket} } $bytes;
}


sub frame {
    my ($self, $type, $flags, $id, $bytes) = @_;

    return $self->write(substr(pack('N', length $bytes), 1)
                        . pack('CCN', $type, $flags, $id) . $bytes);
}


# A length with a prefix of seven bits, as HPACK writes it.
sub number {
    my ($n) = @_;

    return pack 'C', $n if $n < 127;
    my $bytes = pack 'C', 127;
    for ($n -= 127; $n >= 128; $n >>= 7) {
        $bytes .= pack 'C', $n % 128 + 128;
    }

    return $bytes . pack 'C', $n;
}


# Literals without indexing: nothing to remember on either side.
sub field {
    my ($name, $value) = @_;

    return "\0" . number(length $name) . $name
        . number(length $value) . $value;
}


sub open {
    my ($self, $method, $uri, @header) = @_;

    my $opt = @header && ref $header[-1] eq 'HASH' ? pop @header : {};
    my $id = $self->{next};
    $self->{next} += 2;
    $self->{stream}{$id} = { body => '' };

    my $block = join '', field(':method', $method), field(':scheme', 'http'),
        field(':authority', 'localhost'), field(':path', $uri),
        map { field(lc $_->[0], $_->[1]) } @header;
    my $body = $opt->{body};

    $self->frame(HEADERS, END_HEADERS
                 | (defined $body || $opt->{more} ? 0 : END_STREAM), $id,
                 $block);
    $self->data($id, $body) if defined $body;
    return $id;
}


sub data {
    my ($self, $id, $bytes, $more) = @_;

    do {
        my $piece = substr $bytes, 0, 16384, '';
        $self->frame(DATA, $bytes eq '' && !$more ? END_STREAM : 0, $id,
                     $piece);
    } while $bytes ne '';
}


sub reset {
    my ($self, $id, $code) = @_;

    $self->{stream}{$id}{done} = 1;
    return $self->frame(RST_STREAM, 0, $id, pack 'N', $code // 8);
}


sub close { close $_[0]{socket} }


# With a list of pairs as the result, a stream that never ended is not in it.
sub answers {
    my ($self, @id) = @_;

    my $end = Time::HiRes::time() + 10;
    while (grep { !$self->{stream}{$_}{done} } @id) {
        $self->take($end) or last;
    }

    return map { $_ => $self->{stream}{$_} }
        grep { $self->{stream}{$_}{done} } @id;
}


# One frame; false when there is none to come.
sub take {
    my ($self, $end) = @_;

    $self->fill(9, $end) or return 0;
    my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{in};
    my $length = $high << 16 | $low;
    $self->fill(9 + $length, $end) or return 0;
    substr $self->{in}, 0, 9, '';
    my $bytes = substr $self->{in}, 0, $length, '';
    my $stream = $self->{stream}{$id} // {};

    if ($type == HEADERS) {
        $stream->{status} //= status($bytes);
    } elsif ($type == DATA) {
        $stream->{body} .= $bytes;
    } elsif ($type == RST_STREAM) {
        $stream->{reset} //= unpack 'N', $bytes;
        $stream->{done} = 1;
    } elsif ($type == SETTINGS && !($flags & ACK)) {
        $self->frame(SETTINGS, ACK, 0, '');
    } elsif ($type == PING && !($flags & ACK)) {
        $self->frame(PING, ACK, 0, $bytes);
    } elsif ($type == GOAWAY) {
        $self->{goaway} = unpack 'x4N', $bytes;
    }

    $stream->{done} = 1
        if ($type == HEADERS || $type == DATA) && $flags & END_STREAM;
    return 1;
}


sub fill {
    my ($self, $n, $end) = @_;

    while (length $self->{in} < $n) {
        vec(my $read = '', fileno $self->{socket}, 1) = 1;
        my $left = $end - Time::HiRes::time();
        return 0 if $left <= 0 || select($read, undef, undef, $left) <= 0;
        sysread $self->{socket}, $self->{in}, 65536, length $self->{in}
            or return 0;
    }

    return 1;
}


# nginx writes the status first, after a change of its table's size.
sub status {
    my ($block) = @_;

    my ($first) = unpack 'C', $block;
    while ($first >> 5 == 1) {
        substr $block, 0, ($first & 31) == 31 ? 2 : 1, '';
        ($first) = unpack 'C', $block;
    }

    return $indexed{$first} if $indexed{$first};
    return substr $block, 2, 3 if unpack('xC', $block) == 3;
    die sprintf "cannot read a status: %s\n", unpack 'H*', $block;
}


1;
