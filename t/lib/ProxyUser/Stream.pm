package ProxyUser::Stream;

# Answers that do not end: begun, and watched for their end.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(time);

use ProxyUser::Redis qw(patience);

our @EXPORT = qw(stream_on ended goes_on);


# The connection of an answer that has begun, or that is silent.
sub stream_on {
    my ($nginx, $uri, %opt) = @_;

    my $c = $nginx->connect;
    $c->ask('GET', $uri, %opt);
    return $c if $uri =~ /silent/;

    my $end = time + patience(10);
    until ($c->{buffer} =~ m{\AHTTP/1.1 200 .*\r\n\r\n.}s) {
        $c->fill($end) or die "$uri has not begun: $c->{buffer}\n";
    }

    return $c;
}


# Seconds until it has ended, if it has.
sub ended {
    my ($c, $seconds) = @_;
    my $start = time;

    while (time < $start + $seconds) {
        $c->{buffer} = '';
        my $n = $c->fill($start + $seconds);
        return time - $start if !defined $n
            || $n == 0 && time < $start + $seconds;
    }

    return;
}


sub goes_on {
    my ($c) = @_;

    $c->{buffer} = '';
    return $c->fill(time + patience(5)) && length $c->{buffer};
}

1;
